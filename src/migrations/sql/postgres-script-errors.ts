import { SqlSyntaxError } from '../errors.js';
import { placeOf } from './source-cursor.js';
import type { SourcePosition } from './statement.js';

// What makes a script one that PostgreSQL can never be sent, and what to do about it.

/** What begins and has to end. */
export type Opened = 'string' | 'identifier' | 'dollar' | 'comment' | 'parenthesis' | 'body';

const UNFINISHED: Readonly<Record<Opened, (place: string) => string>> = {
  string: (place) => `The text in ' quotes that begins at ${place} does not end.`,
  identifier: (place) => `The name in " quotes that begins at ${place} does not end.`,
  dollar: (place) => `The text in dollar quotes that begins at ${place} does not end.`,
  comment: (place) => `The comment that begins at ${place} does not end: */ is missing. Comments nest.`,
  parenthesis: (place) => `The parenthesis that opens at ${place} is not closed.`,
  body: (place) => `The body that BEGIN ATOMIC begins at ${place} has no END after its last semicolon.`,
};

export function unfinished(opened: Opened, position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(UNFINISHED[opened](placeOf(position)), { position });
}

export function copyWithoutData(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `COPY … FROM stdin at ${placeOf(position)} has no data: it begins on the line after the semicolon, and a line with \\. ` +
      'alone ends it.',
    { position },
  );
}

export function copyWithoutEnd(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `The data of COPY … FROM stdin at ${placeOf(position)} does not end: a line with \\. alone is missing.`,
    { position },
  );
}

export function textAfterCopy(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `A statement at ${placeOf(position)} stands on the line of COPY … FROM stdin, whose data begins on the next line. Move it ` +
      'behind the data.',
    { position },
  );
}

const META_COMMANDS = new Map(
  Object.entries({
    i: 'put the text of that file here, or make it a migration of its own.',
    ir: 'put the text of that file here, or make it a migration of its own.',
    include: 'put the text of that file here, or make it a migration of its own.',
    include_relative: 'put the text of that file here, or make it a migration of its own.',
    copy: 'write COPY … FROM stdin; with the data behind it and a line with \\. alone at its end.',
    c: 'a migration stays in the database that it was started for: take the line out.',
    connect: 'a migration stays in the database that it was started for: take the line out.',
    set: 'declare a placeholder and write ${name} where :name is.',
    gexec: 'write a DO block that runs EXECUTE in a loop.',
    g: 'end the statement with a semicolon.',
    gset: 'use a DO block with variables.',
    echo: 'take the line out, or write a comment.',
    timing: 'take the line out: the time of each migration is kept anyway.',
    if: 'use a DO block with IF.',
    '.': 'it ends data of COPY … FROM stdin, and no such statement is open here.',
  }),
);

/** @param command what follows the backslash, up to white space or another backslash */
export function metaCommand(command: string, position: SourcePosition): SqlSyntaxError {
  const advice = META_COMMANDS.get(command) ?? 'take it out.';
  return new SqlSyntaxError(
    `\\${command} at ${placeOf(position)} is a command of psql, which no server understands: ${advice}`,
    { position },
  );
}

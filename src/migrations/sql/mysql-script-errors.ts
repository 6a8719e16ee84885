import { SqlSyntaxError } from '../errors.js';
import { placeOf } from './source-cursor.js';
import type { SourcePosition } from './statement.js';

// What makes a script of MySQL or MariaDB one that can never be sent, and what to do about it.

export function unfinishedQuote(quote: string, position: SourcePosition): SqlSyntaxError {
  const what = quote === '`' ? 'name' : 'text';
  return new SqlSyntaxError(
    `The ${what} in ${quote} quotes that begins at ${placeOf(position)} does not end.`,
    { position },
  );
}

export function unfinishedComment(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(`The comment that begins at ${placeOf(position)} does not end: */ is missing.`, {
    position,
  });
}

export function unfinishedBlock(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `The block that begins at ${placeOf(position)} has no END. Add it; or, if it is no block, write DELIMITER // before the ` +
      'statement and // behind it, then DELIMITER ;.',
    { position },
  );
}

export function cutInTwo(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `The executable comment that begins at ${placeOf(position)} holds the terminator of a statement, which would cut it in two: the ` +
      'server understands neither half. Put the terminator behind */, or choose another one with DELIMITER.',
    { position },
  );
}

export function wrongDelimiter(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `DELIMITER at ${placeOf(position)} is not followed by a terminator without backslashes. Write it behind it on the same line: ` +
      'DELIMITER //',
    { position },
  );
}

export function clientCommand(command: string, position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `${command} at ${placeOf(position)} is a command of the mariadb and mysql clients that no server understands. Take it out; ` +
      'what it would have read or run has to stand in the migration itself.',
    { position },
  );
}

export function loneReturn(position: SourcePosition): SqlSyntaxError {
  return new SqlSyntaxError(
    `The line of the comment at ${placeOf(position)} ends with a carriage return alone, which ends no comment for the server: it would ` +
      'skip what follows. Save the file with \\n or \\r\\n as line ends.',
    { position },
  );
}

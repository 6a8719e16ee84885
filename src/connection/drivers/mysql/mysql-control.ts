import { TransactionControlError } from '../../errors.js';
import type { ManualControl } from '../../hand-written.js';
import { readSavepoint } from '../../savepoint-control.js';
import { commitsImplicitly, nameOf } from './implicit-commit.js';
import { lockOf } from './session-locks.js';
import { executedBy, headOf } from './statement-words.js';

/** A statement that a hand-written transaction begins or ends with, or that ends the one around it. */
export type MysqlControl =
  | ManualControl
  /**
   * The server commits before it executes it. `statement` is what it is called: never a value, a URL or a password.
   * `locks`: it locks for its session, which no transaction ends.
   */
  | { readonly verb: 'commit implicitly'; readonly statement: string; readonly locks?: true };

/** The first word of everything that is looked at more closely. */
const FIRST_WORD =
  /^(?:begin|start|commit|rollback|savepoint|release|xa|set|create|alter|drop|rename|truncate|grant|revoke|lock|unlock|analyze|check|optimize|repair|flush|reset|cache|load|install|uninstall|stop|change|backup|execute)\b/i;
const CONTROL = /^(?:begin|start\s+transaction|commit|rollback|savepoint|release|xa)\b/i;
const BEGIN = /^(?:begin(?:\s+work)?|start\s+transaction\b.*)$/is;
const END = /^(commit|rollback)(?:\s+work)?(?:\s+and\s+no\s+chain)?(?:\s+no\s+release)?$/i;
/** MariaDB's block of statements outside a procedure. */
const COMPOUND = /^begin\s+not\s+atomic\b/i;
const READ_ONLY = /\bread\s+only\b/i;
const AUTOCOMMIT = /^set\b[^;]*?\bautocommit\b/i;
/**
 * Recognises START TRANSACTION, COMMIT and ROLLBACK, SAVEPOINT, RELEASE and ROLLBACK TO, each by itself, and what commits
 * implicitly. Throws {@link TransactionControlError} for what would end more than it began.
 */
export function readControl(text: string): MysqlControl | undefined {
  const start = startOfStatement(text);
  if (!FIRST_WORD.test(text.slice(start, start + 10))) return undefined;
  const statement = text.slice(start).replace(/[\s;]+$/, '');
  if (COMPOUND.test(statement)) return undefined;
  if (/^(?:savepoint|release|rollback)\b/i.test(statement)) {
    const savepoint = readSavepoint(statement);
    // The server does not tell capital letters from small ones.
    if (savepoint) return { ...savepoint, name: savepoint.name.toLowerCase(), replaces: true };
  }
  if (!CONTROL.test(statement)) {
    const executed = executedBy(statement);
    if (executed !== undefined) return readExecuted(executed, statement);
    const commits = readCommitting(headOf(statement));
    if (commits) return commits;
  }
  if (AUTOCOMMIT.test(statement)) {
    throw new TransactionControlError(
      'SET autocommit inside a transaction would outlive it, or commit it, and was not sent. Send START TRANSACTION and COMMIT on one ' +
        'connection (they become a savepoint), or use @Transactional({ propagation: "NESTED" }).',
    );
  }
  if (!/^(?:begin|start|commit|rollback|xa)\b/i.test(statement)) return undefined;
  if (!statement.includes(';')) {
    if (BEGIN.test(statement))
      return { verb: 'begin', isolationLevel: undefined, readOnly: READ_ONLY.test(statement) };
    const end = END.exec(statement);
    if (end) {
      const verb = end[1]!.toLowerCase() as 'commit' | 'rollback';
      return { verb, sent: verb.toUpperCase() };
    }
  }
  throw refusalOf(statement.split(/\s/, 1)[0]!.toUpperCase());
}

function readCommitting(head: string): MysqlControl | undefined {
  const lock = lockOf(head);
  if (lock) return { verb: 'commit implicitly', statement: lock.name, locks: true };
  return commitsImplicitly(head) ? { verb: 'commit implicitly', statement: nameOf(head) } : undefined;
}

/** Of what stands in another statement nothing can become a savepoint. */
function readExecuted(executed: string, statement: string): MysqlControl | undefined {
  const control = readControl(executed);
  if (control && control.verb !== 'commit implicitly') throw refusalOf(nameOf(headOf(statement)));
  return control;
}

function refusalOf(beginning: string): TransactionControlError {
  return new TransactionControlError(
    `A statement that begins with ${beginning} would begin or end a transaction behind its owner's back and was not sent. ` +
      'Inside a transaction send START TRANSACTION, COMMIT or ROLLBACK as a statement of its own, on one connection (it becomes a savepoint), ' +
      'or use @Transactional({ propagation: "NESTED" }) or runOutsideTransaction().',
  );
}

/** The offset of the first character that the server executes: what stands in a comment of the form `/*! … ` is executed. */
function startOfStatement(text: string): number {
  let index = 0;
  for (;;) {
    while (index < text.length && text.charCodeAt(index) <= 32) index++;
    const executed = /^\/\*M?!\d*/.exec(text.slice(index, index + 12));
    if (executed) {
      index += executed[0].length;
    } else if (text.startsWith('/*', index)) {
      const end = text.indexOf('*/', index + 2);
      index = end === -1 ? text.length : end + 2;
    } else if (text[index] === '#' || /^--(?:\s|$)/.test(text.slice(index, index + 3))) {
      const end = text.indexOf('\n', index);
      index = end === -1 ? text.length : end + 1;
    } else return index;
  }
}

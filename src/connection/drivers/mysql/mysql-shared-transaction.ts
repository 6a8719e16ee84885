import { DriverSharedTransaction } from '../../driver-shared-transaction.js';
import { TestTransactionError } from '../../errors.js';
import type { SavepointPart } from '../../savepoint-part.js';
import type { Session } from '../../session.js';
import { readControl } from './mysql-control.js';

type Row = Readonly<Record<string, unknown>>;

/** Of MariaDB; MySQL has none. They are for the short transactions of an application. */
const WITHOUT_TIME_LIMITS =
  'SET SESSION idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0';
/** `tx_isolation` up to MariaDB 11.0 and MySQL 5.7. */
const READ_LEVEL = "SHOW SESSION VARIABLES WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')";
/** Tables of an engine without transactions have kept what was written to them. */
const WARNS_OF_WHAT_STAYED = 1196;

/** A shared transaction on MySQL or MariaDB, whichever driver it is of. */
export abstract class MysqlSharedTransaction<S extends Session> extends DriverSharedTransaction<S> {
  /** Sends a statement to the connection itself; resolves to its rows. */
  protected abstract ask(session: S, text: string): Promise<readonly Row[]>;
  protected abstract disconnect(session: S): Promise<void>;

  protected async prepare(session: S): Promise<string> {
    await this.ask(session, WITHOUT_TIME_LIMITS).catch(() => {});
    const { isolationLevel } = this.options;
    if (isolationLevel) return isolationLevel;
    const [row] = await this.ask(session, READ_LEVEL);
    return String(row?.['Value']).replaceAll('-', ' ');
  }

  protected async close(session: S): Promise<void> {
    await session.control('ROLLBACK');
    const warnings = await this.ask(session, 'SHOW WARNINGS');
    await this.disconnect(session);
    if (warnings.some(({ Code }) => Number(Code) === WARNS_OF_WHAT_STAYED)) {
      throw new TestTransactionError(
        `The test wrote to a table of data source "${this.managed.name}" whose engine knows no transactions (MyISAM, Aria, MEMORY): what it wrote there stays. ` +
          'Make it ENGINE=InnoDB in the test database, or delete the rows in an afterEach.',
      );
    }
  }
}

const SET_LEVEL =
  /^\s*set\s+(?:session\s+|local\s+)?transaction\s+isolation\s+level\s+(read\s+uncommitted|read\s+committed|repeatable\s+read|serializable)\b/i;
const READS =
  /^[\s(]*(?:select|show|with|values|table|describe|desc|explain|set|do|use|help|savepoint|release|rollback)\b/i;
/** What the server itself answers to a write in a READ ONLY transaction, which a savepoint cannot be. */
const REFUSE_WRITE =
  "SIGNAL SQLSTATE '25006' SET MYSQL_ERRNO = 1792, MESSAGE_TEXT = 'Cannot execute statement in a READ ONLY transaction'";

/**
 * Whether a statement of a shared transaction is to be sent. A SET TRANSACTION is not: the server refuses it there.
 * Throws where it asks for another level, and the server's error for a write where BEGIN asked for READ ONLY.
 */
export async function isToBeSent(part: SavepointPart, text: string | undefined): Promise<boolean> {
  if (text === undefined) return true;
  const level = SET_LEVEL.exec(text)?.[1];
  if (level) {
    part.hasLevel(level);
    return false;
  }
  if (part.readOnly && !READS.test(text)) await part.control(REFUSE_WRITE);
  return true;
}

/** A control statement of a session in a shared transaction. */
export async function controlPart(part: SavepointPart, text: string): Promise<void> {
  if (text === 'ROLLBACK') return part.rollback();
  const control = readControl(text);
  if (control?.verb === 'begin') return part.begin(control);
  if (await isToBeSent(part, text)) await part.control(text);
}

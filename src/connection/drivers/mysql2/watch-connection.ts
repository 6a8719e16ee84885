import { mayLock, SessionLocks } from '../mysql/session-locks.js';
import { ServerStatus } from '../mysql/server-status.js';
import type { MysqlCommand, MysqlConnection } from './mysql2-types.js';
import { SeveralStatements } from './several-statements.js';

/** What is known of a connection that is watched. */
export interface Watched {
  readonly status: ServerStatus;
  readonly several: SeveralStatements;
  readonly locks: SessionLocks;
}

const watched = new WeakMap<MysqlConnection, Watched>();

/** What the server says of a connection, from the first call for it on. mysql2 reads it and keeps it to itself. */
export function statusOf(connection: MysqlConnection): ServerStatus {
  return watch(connection).status;
}

/** Watches a connection, from the first call for it on. Everything that is sent on it passes by here. */
export function watch(connection: MysqlConnection): Watched {
  const known = watched.get(connection);
  if (known) return known;
  const status = new ServerStatus();
  const several = new SeveralStatements(connection);
  const locks = new SessionLocks();
  const watching = { status, several, locks };
  watched.set(connection, watching);
  const { addCommand } = connection;
  // On the instance: mysql2 puts another one there itself when it closes the connection.
  connection.addCommand = (command) => {
    const text = command.sql ?? command.statement?.query;
    if (typeof text === 'string' && mayLock(text)) locks.note(text);
    const first = several.before(command);
    if (first) addCommand.call(connection, first);
    return addCommand.call(connection, listen(command, status));
  };
  return watching;
}

function listen(command: MysqlCommand, status: ServerStatus): MysqlCommand {
  const { execute, doneInsert } = command;
  const listening: MysqlCommand['execute'] = (packet, connection) => {
    if (packet?.isEOF()) status.receive(packet.eofStatusFlags());
    return execute.call(command, packet, connection);
  };
  command.execute = listening;
  if (doneInsert) {
    const reading: MysqlCommand['doneInsert'] = (result) => {
      if (result?.serverStatus !== undefined) status.receive(result.serverStatus);
      return doneInsert.call(command, result);
    };
    command.doneInsert = reading;
  }
  return command;
}

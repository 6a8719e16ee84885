import { ServerStatus } from '../mysql/server-status.js';
import type { MysqlCommand, MysqlConnection } from './mysql2-types.js';

const watched = new WeakMap<MysqlConnection, ServerStatus>();

/** What the server says of a connection, from the first call for it on. mysql2 reads it and keeps it to itself. */
export function statusOf(connection: MysqlConnection): ServerStatus {
  let status = watched.get(connection);
  if (!status) {
    status = new ServerStatus();
    watched.set(connection, status);
    const { addCommand } = connection;
    const watching = status;
    // On the instance: mysql2 puts another one there itself when it closes the connection.
    connection.addCommand = (command) => addCommand.call(connection, listen(command, watching));
  }
  return status;
}

function listen(command: MysqlCommand, status: ServerStatus): MysqlCommand {
  const { execute, doneInsert } = command;
  command.execute = (packet, connection) => {
    if (packet?.isEOF()) status.receive(packet.eofStatusFlags());
    return execute.call(command, packet, connection);
  };
  if (doneInsert) {
    command.doneInsert = (result) => {
      if (result?.serverStatus !== undefined) status.receive(result.serverStatus);
      return doneInsert.call(command, result);
    };
  }
  return command;
}

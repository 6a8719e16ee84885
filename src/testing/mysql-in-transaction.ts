import { type AmbientScope, type ManagedPool, type ManagedSource, preparePool } from '../connection/index.js';
import type { RecordingMariadbConnection } from './recording-clients.js';

/**
 * What the pools of both MySQL drivers lend inside a transaction of the application, for a data source without a database:
 * the same code reads what is a savepoint, what would commit, and refuses it. It is the one of the `mariadb` connector,
 * whose pool is asked for nothing else.
 */
export class MysqlInTransaction {
  readonly #managed: ManagedPool;

  constructor(source: ManagedSource) {
    this.#managed = preparePool(standIn(), { name: source.name, connectionLimit: 1 });
    this.#managed.serve(source, source.name);
  }

  lend(scope: AmbientScope): RecordingMariadbConnection {
    return this.#managed.transactionClient(scope) as RecordingMariadbConnection;
  }
}

/** What is asked of the session of a transaction: to hand its connection over. */
export interface MysqlCall<T> {
  readonly call: (connection: object) => Promise<T>;
}

/** A pool of the connector that never lends a connection of its own. */
function standIn(): Parameters<typeof preparePool>[0] {
  const none = (): number => 0;
  const unused = (): Promise<never> => Promise.reject(new Error('there is no database'));
  return {
    closed: false,
    getConnection: unused,
    query: unused,
    execute: unused,
    batch: unused,
    end: () => Promise.resolve(),
    on: none,
    totalConnections: none,
    activeConnections: none,
    idleConnections: none,
    taskQueueSize: none,
  } as Parameters<typeof preparePool>[0];
}

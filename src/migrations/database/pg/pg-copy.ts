import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf } from '../../../core/index.js';
import type { CopyStatement } from '../../sql/statement.js';
import { PgBatch } from './pg-batch.js';
import type { PgConnection } from './pg-types.js';

const MOST_IN_A_TURN = 64 * 1024;

/**
 * `COPY … FROM STDIN`: the data behind the statement is sent as it is read, as fast as the socket takes it.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
 */
export class PgCopy extends PgBatch {
  readonly #data: AsyncIterable<string>;
  #failed = false;
  /** What went wrong in reading the data, which is why the server was told to give up. */
  readError: unknown;

  constructor(statement: CopyStatement) {
    super([statement]);
    this.#data = statement.data;
  }

  override handleCopyInResponse(connection: PgConnection): void {
    void this.#send(connection);
  }

  override handleError(error: Error): void {
    this.#failed = true;
    super.handleError(error);
  }

  async #send(connection: PgConnection): Promise<void> {
    let sentInTurn = 0;
    try {
      for await (const piece of this.#data) {
        // The client tells of a lost connection a turn later, for which data that is in memory already does not wait.
        if (this.#failed || !connection.stream.writable) return;
        connection.sendCopyFromChunk(Buffer.from(piece));
        sentInTurn += piece.length;
        if (connection.stream.writableNeedDrain) await drained(connection);
        else if (sentInTurn < MOST_IN_A_TURN) continue;
        // The kernel may take all of it at once: without a turn of the event loop the server's refusal is never read.
        await nextTurn();
        sentInTurn = 0;
      }
    } catch (error) {
      this.readError = error;
      if (!this.#failed) connection.sendCopyFail(messageOf(error));
      return;
    }
    if (!this.#failed) connection.endCopyFrom();
  }
}

async function drained({ stream }: PgConnection): Promise<void> {
  const stop = new AbortController();
  try {
    await Promise.race([
      once(stream, 'drain', { signal: stop.signal }),
      // A lost connection drains no more; the client tells it as the error of the statement.
      once(stream, 'close', { signal: stop.signal }),
    ]);
  } finally {
    stop.abort();
  }
}

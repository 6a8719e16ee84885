import type { PgConnection, PgQuery, PgStream } from './pg-types.js';

/** Up to here copying the pieces together costs less than handing each of them to the socket. */
const COPIED_BYTES = 16 * 1024;

/** Stands in for a connection's stream while a query is written, and keeps its messages together. */
class Flight implements PgStream {
  readonly writable = true;
  readonly #stream: PgStream;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(stream: PgStream) {
    this.#stream = stream;
  }

  write(piece: Uint8Array): boolean {
    this.#bytes += piece.length;
    this.#pieces.push(piece);
    return true;
  }

  destroy(): void {
    this.#stream.destroy();
  }

  leave(): void {
    const stream = this.#stream;
    if (this.#bytes <= COPIED_BYTES) {
      if (this.#bytes > 0) stream.write(Buffer.concat(this.#pieces, this.#bytes));
      return;
    }
    stream.cork?.();
    for (const piece of this.#pieces) stream.write(piece);
    stream.uncork?.();
  }
}

/**
 * Has a query, and what is to travel in front of it, written to the socket at once. pg writes each of the four to six
 * messages of a query by itself, and the kernel is asked to gather them: twice the processor time of one write.
 */
export function writeAtOnce(query: PgQuery, inFront: readonly Uint8Array[] = []): void {
  const submit = (connection: PgConnection): Error | null => submitInOneWrite(query, connection, inFront);
  query.submit = submit;
}

function submitInOneWrite(
  query: PgQuery,
  connection: PgConnection,
  inFront: readonly Uint8Array[],
): Error | null {
  const { submit } = Object.getPrototypeOf(query) as PgQuery;
  const { stream } = connection;
  const flight = new Flight(stream);
  for (const piece of inFront) flight.write(piece);
  connection.stream = flight;
  try {
    return submit.call(query, connection);
  } finally {
    connection.stream = stream;
    flight.leave();
  }
}

import type { PgClient, PgConnection, PgQuery, PgStream } from './pg-types.js';

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

/**
 * Writes a query, which {@link writeAtOnce} has prepared, behind what is on its way: pg would wait for the answer to that.
 * pg takes the answers in their order all the same, for the query is the first in its queue. Does nothing where pg may yet drop
 * the query from there, or where a value might turn out to have no form to be sent in.
 */
export function writeAhead(query: PgQuery, client: PgClient): void {
  const { _queryQueue: queue, connection, connectionParameters } = client;
  if (queue?.length !== 1 || queue[0] !== query) return;
  if (query.query_timeout || connectionParameters.query_timeout || query.values?.every(isPlain) === false)
    return;
  const error = query.submit(connection);
  const submitted = (): Error | null => error;
  query.submit = submitted;
}

function isPlain(value: unknown): boolean {
  return value == null || typeof value !== 'object' || value instanceof Date || ArrayBuffer.isView(value);
}

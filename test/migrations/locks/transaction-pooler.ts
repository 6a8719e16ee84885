import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Client } from 'pg';

interface Backend {
  readonly socket: Socket;
  receive: (bytes: Buffer) => void;
}

/** `pool_mode` of PgBouncer. */
export type PoolMode = 'transaction' | 'session';

/**
 * Stands in front of PostgreSQL as PgBouncer does: lets everybody in, tells its own process ids, and lends each client one
 * of `size` sessions, for a transaction or for as long as the client stays. The last one that came back is lent first.
 */
export async function startPooler(
  url: string,
  { mode, size }: { mode: PoolMode; size: number },
): Promise<{ url: string; close(): Promise<void> }> {
  const clients = await Promise.all(Array.from({ length: size }, () => connected(url)));
  const free: Backend[] = clients.map((client) => {
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    stream.removeAllListeners('data');
    const backend: Backend = { socket: stream, receive: () => {} };
    stream.on('data', (bytes: Buffer) => backend.receive(bytes));
    return backend;
  });
  const queue: ((backend: Backend) => void)[] = [];
  const release = (backend: Backend): void => {
    const next = queue.shift();
    if (next) next(backend);
    else free.push(backend);
  };
  const sockets = new Set<Socket>();

  const server = createServer((socket) => {
    sockets.add(socket);
    let isStarted = false;
    let isOver = false;
    let lent: Backend | undefined;
    let asking: Buffer[] | undefined;

    const take = (backend: Backend): void => {
      lent = backend;
      backend.receive = (bytes) => {
        if (!isOver) socket.write(bytes);
        // ReadyForQuery is the last of an answer: its status is the last byte.
        const isReady = bytes.length >= 6 && bytes.at(-6) === 0x5a && bytes.at(-2) === 5;
        if (!isReady || bytes.at(-1) !== 0x49 || (mode === 'session' && !isOver)) return;
        lent = undefined;
        release(backend);
      };
      for (const bytes of asking ?? []) backend.socket.write(bytes);
      asking = undefined;
      if (isOver) end();
    };
    const end = (): void => void lent?.socket.write(message('Q', 'ROLLBACK\0'));

    socket.on('data', (bytes) => {
      if (!isStarted) {
        isStarted = true;
        socket.write(
          Buffer.concat([message('R', '\0\0\0\0'), message('K', '\0\0\0\x07\0\0\0\0'), message('Z', 'I')]),
        );
      } else if (bytes[0] === 0x58) socket.end();
      else if (lent) lent.socket.write(bytes);
      else if (asking) asking.push(bytes);
      else {
        asking = [bytes];
        const backend = free.pop();
        if (backend) take(backend);
        else queue.push(take);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      isOver = true;
      end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const pooled = new URL(url);
  pooled.hostname = '127.0.0.1';
  pooled.port = String((server.address() as AddressInfo).port);
  return {
    url: pooled.href,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(
        clients.map(
          (client) =>
            new Promise<void>((resolve) => {
              client.once('end', resolve);
              (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
            }),
        ),
      );
    },
  };
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(`${type}....${body}`, 'latin1');
  bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
}

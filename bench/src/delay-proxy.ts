import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** Passes TCP on in both directions and holds back what the server answers, in order. */
async function serve(target: { host: string; port: number }, delayMs: number): Promise<void> {
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ ...target, noDelay: true });
    client.pipe(upstream);
    // Timers of one duration fire in the order in which they were set. The whole delay is on one side, because
    // a timer cannot wait for half a millisecond.
    upstream.on('data', (chunk) => setTimeout(() => client.write(chunk), delayMs));
    upstream.on('close', () => setTimeout(() => client.destroy(), delayMs));
    client.on('close', () => upstream.destroy());
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  process.send?.({ port: (server.address() as AddressInfo).port });
  process.once('disconnect', () => process.exit());
}

export interface DelayProxy {
  /** The same database, through the proxy. */
  readonly url: string;
  stop(): void;
}

/** Starts the proxy in a process of its own, so that it takes no turn of a measured event loop. */
export async function startDelayProxy(databaseUrl: string, delayMs: number): Promise<DelayProxy> {
  const url = new URL(databaseUrl);
  const child = fork(__filename, [url.hostname, url.port, String(delayMs)], { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  url.port = String(port);
  return { url: url.href, stop: () => child.disconnect() };
}

if (require.main === module) {
  const [host = '127.0.0.1', port, delayMs] = process.argv.slice(2);
  void serve({ host, port: Number(port) }, Number(delayMs));
}

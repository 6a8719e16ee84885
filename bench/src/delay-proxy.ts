import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** Passes TCP on in both directions and holds back what the server answers, in order. */
async function serve(target: { host: string; port: number }): Promise<void> {
  let delayMs = 0;
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ ...target, noDelay: true });
    client.pipe(upstream);
    // Timers of one duration fire in the order in which they were set. The whole delay is on one side, because
    // a timer cannot wait for half a millisecond.
    const later = (act: () => void): unknown => (delayMs > 0 ? setTimeout(act, delayMs) : act());
    upstream.on('data', (chunk) => later(() => client.write(chunk)));
    upstream.on('close', () => later(() => client.destroy()));
    client.on('close', () => upstream.destroy());
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  process.on('message', (message: { delayMs: number }) => {
    ({ delayMs } = message);
    process.send?.({});
  });
  process.once('disconnect', () => process.exit());
  process.send?.({ port: (server.address() as AddressInfo).port });
}

export interface DelayProxy {
  /** The same database, through the proxy. */
  readonly url: string;
  /** Only while nothing is under way. */
  delay(delayMs: number): Promise<void>;
  stop(): void;
}

/** Starts the proxy, still without delay, in a process of its own, so that it takes no turn of a measured event loop. */
export async function startDelayProxy(databaseUrl: string): Promise<DelayProxy> {
  const url = new URL(databaseUrl);
  const child = fork(__filename, [url.hostname, url.port], { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  url.port = String(port);
  return {
    url: url.href,
    async delay(delayMs) {
      const done = once(child, 'message');
      child.send({ delayMs });
      await done;
    },
    stop: () => child.disconnect(),
  };
}

if (require.main === module) {
  const [host = '127.0.0.1', port] = process.argv.slice(2);
  void serve({ host, port: Number(port) });
}

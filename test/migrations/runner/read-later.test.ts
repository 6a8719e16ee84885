import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { MigrationFailedError } from '../../../src/migrations/index.js';
import { ENGINES, failureOf, useWorkspace } from './workspace.js';

describe.each(ENGINES)(
  'what the network delivers by %s after it has told the client that the connection is lost',
  (_, use) => {
    const engine = use();
    const files = useWorkspace(engine);
    const closers: (() => void)[] = [];
    afterEach(() => {
      for (const close of closers.splice(0)) close();
    });

    /** Ends the client's side where `text` comes by, and keeps it and the server's side. */
    async function startKeeper(text: string): Promise<{ url: string; deliver(): Promise<void> }> {
      const { hostname, port } = new URL(engine.url);
      let kept: { data: Buffer; server: Socket } | undefined;
      const proxy = createServer((client) => {
        const server = connect(Number(port), hostname);
        closers.push(() => server.destroy());
        server.on('error', () => undefined).pipe(client);
        client.on('error', () => undefined);
        client.on('data', (data) => {
          if (kept === undefined && data.includes(text)) {
            kept = { data, server };
            server.unpipe(client).resume();
            client.destroy();
          } else server.write(data);
        });
        client.on('end', () => server.end());
      });
      proxy.listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      closers.push(() => proxy.close());
      const url = new URL(engine.url);
      url.port = String((proxy.address() as AddressInfo).port);
      url.hostname = '127.0.0.1';
      return {
        url: url.href,
        async deliver() {
          const { data, server } = kept!;
          server.write(data);
          server.end();
          if (!server.closed) await once(server, 'close');
        },
      };
    }

    test('is not run any more once it was said to be rolled back', async () => {
      files.write({
        'V1__a.sql': 'CREATE TABLE a (n INT);',
        'V2__b.sql': 'INSERT INTO a VALUES (2);',
        'V3__c.sql': 'INSERT INTO a VALUES (3);',
      });
      await files.migrator().up({ to: '1' });
      // The row of the history travels with COMMIT.
      const keeper = await startKeeper('(installed_rank, version');
      const error = await failureOf<MigrationFailedError>(files.migrator({ url: keeper.url }).up());
      expect(error).toMatchObject({ script: 'V2__b.sql', effect: 'rolled back' });
      await keeper.deliver();
      expect(await engine.query('SELECT n FROM a')).toEqual([]);
      expect((await files.migrator().up()).applied).toHaveLength(2);
    });
  },
);

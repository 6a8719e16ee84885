import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createConnection } from 'mysql2/promise';
import type { MigrationEvent, UpResult } from '../../../src/migrations/index.js';
import { findOrInstall } from '../../harness/apt.js';
import { startMariadb } from '../../harness/mariadb.js';
import { type Engine, failureOf, useWorkspace } from '../runner/workspace.js';

/** Where Debian, Fedora and the packages of MariaDB itself have it. */
const PROVIDERS = ['/usr/lib', '/usr/lib64'].flatMap((folder) => [
  `${folder}/galera/libgalera_smm.so`,
  `${folder}/galera-4/libgalera_smm.so`,
]);

function findProvider(): string {
  return findOrInstall({
    name: 'Galera',
    packages: 'galera-4',
    missing: `there is none of ${PROVIDERS.join(', ')}`,
    look: () => PROVIDERS.find((path) => existsSync(path)),
  });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

describe('on a node of Galera', () => {
  let url = '';
  let stop: () => Promise<void> = () => Promise.resolve();
  const engine = {
    driver: 'mariadb',
    get url() {
      return url;
    },
  } as const satisfies Pick<Engine, 'driver' | 'url'>;
  const files = useWorkspace(engine);

  const query = async (sql: string): Promise<unknown> => {
    const connection = await createConnection(url);
    try {
      return (await connection.query(sql))[0];
    } finally {
      await connection.end();
    }
  };

  beforeAll(async () => {
    const server = await startMariadb([
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      '--wsrep-on=ON',
      `--wsrep-provider=${findProvider()}`,
      '--wsrep-cluster-address=gcomm://',
      '--wsrep-node-address=127.0.0.1',
      `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${await freePort()}`,
    ]);
    url = server.url;
    await query('CREATE DATABASE shop');
    url = `${url}/shop`;
    stop = () => server.stop();
  });
  afterAll(() => stop());

  test('the lock is a lease, which keeps another deployer out', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT PRIMARY KEY)',
      'V2__b.sql': 'INSERT INTO a VALUES (2)',
    });
    await files.migrator().up({ to: '1' });
    // V2 waits for whoever writes the same row.
    const gate = await createConnection(url);
    await gate.beginTransaction();
    await gate.query('INSERT INTO a VALUES (2)');
    let running: Promise<UpResult> | undefined;
    await new Promise<void>((started) => {
      const onEvent = (event: MigrationEvent): void => {
        if (event.kind === 'started' && event.script === 'V2__b.sql') started();
      };
      running = files.migrator({ onEvent }).up();
    });
    const error = await failureOf(files.migrator({ lock: { waitMs: 0 } }).up());
    expect(error).toMatchObject({ code: 'LOCK_BUSY', holder: { pid: process.pid, migration: 'V2__b.sql' } });
    // A lock on a session is inscribed as `session 9`.
    expect(await query('SELECT owner FROM holdfast_migration_lock')).toEqual([
      { owner: expect.stringMatching(/^[\da-f]{8}-/) },
    ]);
    await gate.rollback();
    expect((await running)?.applied).toHaveLength(1);
    await gate.end();
    const { checks } = await files.migrator().doctor();
    expect(checks.filter(({ result }) => result === 'failed')).toEqual([]);
  });
});

import { Pool } from 'pg';
import { managePool, unmanagePool } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { DatabaseFleet } from '../../../src/pool-monitor/fleet/index.js';
import { keepConnection, type KeptConnection } from '../../../src/pool-monitor/server/index.js';
import { until } from '../../conformance/observing.js';
import { useDatabase } from '../../harness/database.js';
import { startPgbouncer } from '../../harness/pgbouncer.js';
import { leakOf } from './member.js';

const db = useDatabase();

interface Started {
  readonly clock: ManualClock;
  readonly connection: KeptConnection;
  readonly fleet: DatabaseFleet;
  readonly changes: () => number;
}

async function start(instance: string, { url = db.url, service = 'orders' } = {}): Promise<Started> {
  const clock = new ManualClock();
  const pool = new Pool({ connectionString: url });
  pool.on('error', () => {});
  const managed = managePool(pool, { clock, name: `${instance} ${service}` });
  const connection = keepConnection(managed, { instance });
  const { dialect } = managed;
  const fleet = new DatabaseFleet({ connection, dialect, clock, service, environment: 'test', instance });
  let changes = 0;
  fleet.onChange(() => void changes++);
  db.defer(async () => {
    await fleet.stop();
    await connection.stop();
    unmanagePool(managed);
    await pool.end();
  });
  await connection.start();
  fleet.start();
  return { clock, connection, fleet, changes: () => changes };
}

const SENDER = { sends: true, alone: undefined };
const LISTENER = { sends: false, alone: undefined };

test('the first one sends; what the others find is heard at once, and by who comes later', async () => {
  const one = await start('one');
  expect(one.fleet.role()).toEqual(LISTENER);
  await until('the election', () => one.fleet.role().sends);
  const two = await start('two');
  two.fleet.share(leakOf('leak|place', 2));
  await until('the news', () => one.fleet.others().size === 1);
  expect(one.fleet.others()).toEqual(new Map([['two', leakOf('leak|place', 2)]]));
  expect(two.fleet.role()).toEqual(LISTENER);

  const three = await start('three');
  await until('the answers to its hello', () => three.fleet.others().size === 1);
  expect(three.fleet.others()).toEqual(new Map([['two', leakOf('leak|place', 2)]]));
  two.fleet.share({ sightings: [], told: [] });
  await until('the end', () => three.fleet.others().size === 0);
  expect(one.changes()).toBeGreaterThan(1);
});

test('those of another service, or of the same name, are told apart', async () => {
  const one = await start('one');
  const other = await start('one', { service: 'billing' });
  await until('both to send', () => one.fleet.role().sends && other.fleet.role().sends);
  other.fleet.share(leakOf('leak|place', 1));
  const { fleet } = await start('two');
  fleet.share(leakOf('leak|place', 2));
  await until('the news', () => one.fleet.others().size === 1);
  expect([...one.fleet.others().keys()]).toEqual(['two']);
  expect(other.fleet.others()).toEqual(new Map());
});

test('more than a NOTIFY holds is told in parts', async () => {
  const one = await start('one');
  const two = await start('two');
  const random = (): string =>
    Array.from({ length: 2000 }, () => String.fromCharCode(33 + Math.random() * 90)).join('');
  const share = {
    sightings: Array.from({ length: 12 }, (_, index) => leakOf(`leak|${index}`, 1, random()).sightings[0]!),
    told: [],
  };
  two.fleet.share(share);
  await until('all of it', () => one.fleet.others().get('two')?.sightings.length === 12);
  expect(one.fleet.others().get('two')).toEqual(share);
});

test('one that lost its session does not send; after 10 s without the database each sends for itself, and again one when it is back', async () => {
  const proxy = await db.proxy();
  const [one, two] = [
    await start('one', { url: proxy.url(db.url) }),
    await start('two', { url: proxy.url(db.url) }),
  ];
  await until('the election', () => one.fleet.role().sends);
  two.fleet.share(leakOf('leak|place', 2));
  await until('the news', () => one.fleet.others().size === 1);
  await proxy.refuse();
  await proxy.cut();
  await until('the loss', () => !one.connection.session && !two.connection.session);
  expect([one.fleet.role(), two.fleet.role()]).toEqual([LISTENER, LISTENER]);
  expect(one.fleet.others().size).toBe(0);
  for (const { clock } of [one, two]) clock.advance(9999);
  expect(one.fleet.role()).toEqual(LISTENER);
  for (const { clock } of [one, two]) clock.advance(1);
  const alone = { sends: true, alone: expect.any(String) };
  expect([one.fleet.role(), two.fleet.role()]).toEqual([alone, alone]);

  await proxy.heal();
  for (const { connection, clock } of [one, two]) {
    await until('its connection', () => {
      clock.advance(200);
      return connection.session !== undefined;
    });
    clock.advance(5000);
  }
  await until('one sender', () => {
    // The server may believe in the session of before for a moment.
    for (const { clock } of [one, two]) clock.advance(50);
    const roles = [one.fleet.role(), two.fleet.role()];
    return (
      roles.filter(({ sends }) => sends).length === 1 && roles.every(({ alone: why }) => why === undefined)
    );
  });
  await until('the news', () => one.fleet.others().size === 1);
  expect(one.fleet.others()).toEqual(new Map([['two', leakOf('leak|place', 2)]]));
});

test.each(['transaction', 'session'] as const)(
  'behind a pooler in %s mode each sends for itself, and no lock is left',
  async (mode) => {
    const pooler = await startPgbouncer(db.url, { mode, size: 3 });
    db.defer(() => pooler.close());
    const { fleet } = await start('one', { url: pooler.url });
    await until('it to be told', () => fleet.role().alone !== undefined);
    expect(fleet.role()).toEqual({ sends: true, alone: expect.stringMatching(/^a pooler stands between/) });
    // Of this database: others of the server have locks of their own.
    expect(
      await db.query(
        "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND datname = current_database()",
      ),
    ).toEqual([]);
  },
);

test('without a database each sends for itself after 10 s', async () => {
  const { fleet, clock } = await start('one', { url: 'postgres://x:secret@127.0.0.1:1/x' });
  expect(fleet.role()).toEqual(LISTENER);
  clock.advance(10_000);
  expect(fleet.role()).toEqual({ sends: true, alone: expect.stringMatching(/ECONNREFUSED/) });
});

test('a listener that throws disturbs nobody', async () => {
  const { fleet } = await start('one');
  let heard = 0;
  fleet.onChange(() => {
    throw new Error('boom');
  });
  const stop = fleet.onChange(() => void heard++);
  await until('the election', () => fleet.role().sends);
  await until('it to be heard', () => heard > 0);
  stop();
  expect(fleet.role()).toEqual(SENDER);
});

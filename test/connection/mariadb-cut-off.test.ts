import { setTimeout as sleep } from 'node:timers/promises';
import * as mariadb from 'mariadb';
import { LeaseReclaimedError, managePool, type ManagedPool, runInTransaction, unmanagePool } from 'holdfast';
import { failureOf, until } from '../conformance/observing.js';
import { useWitness } from '../conformance/witness.js';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { useHandLimit } from '../transaction/hand-limit.js';

const db = useMysqlDatabase();
const witness = useWitness();
const limit = useHandLimit();
const reason = new LeaseReclaimedError('A leaked connection was taken back.', { cause: new Error('there') });

interface Started {
  readonly pool: mariadb.Pool;
  readonly managed: ManagedPool;
  readonly proxy: FaultProxy;
}

async function start(connectionLimit = 2): Promise<Started> {
  const proxy = await db.proxy();
  const { hostname, port, username, password, pathname } = new URL(proxy.url(db.url));
  const pool = mariadb.createPool({
    host: hostname,
    port: Number(port),
    user: username,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    connectionLimit,
    minimumIdle: 0,
  });
  const managed = managePool(pool, { connectionLimit });
  db.defer(() => pool.end());
  db.defer(() => unmanagePool(managed));
  return { pool, managed, proxy };
}

/** A statement that the server never sees, on a session that it ends without our hearing of it. */
async function goneBehindOurBack(
  { managed, proxy }: Started,
  send: () => Promise<unknown>,
  whenGone?: () => void,
): Promise<void> {
  const armed = proxy.arm(/SLEEP\(600\)/, { action: 'black-hole' }, { times: 1 });
  const sent = send();
  await armed.fired;
  const id = managed.leases()[0]!.backendId!;
  await db.query(`KILL ${id}`);
  await until('the session to be gone', async () => (await db.sessions()).every((each) => each.id !== id));
  whenGone?.();
  await sent;
}

/** The KILL of the connection that was cut off was answered, whatever with. */
async function killed({ pool, managed, proxy }: Started): Promise<void> {
  await until('the KILL', () => Promise.resolve(proxy.texts.some((text) => /^KILL \d+$/.test(text))));
  await until('its end', () => Promise.resolve(managed.counts().inUse === 0));
  await pool.query('SELECT 1');
  await sleep(0);
}

describe('a statement of the mariadb connector that is cut off when its session is gone already', () => {
  test('by the time limit of its transaction, is an error of its caller and of nobody else', async () => {
    const at = await start();
    const failing = failureOf(
      runInTransaction(() => goneBehindOurBack(at, () => at.pool.query('SELECT SLEEP(600)'), limit.pass), {
        timeoutMs: limit.timeoutMs,
      }),
    );
    expect(await failing).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    await killed(at);
    expect(witness.escaped).toEqual([]);
  });

  test('by a reclaim, likewise', async () => {
    const at = await start();
    const client = await at.pool.getConnection();
    let failing: Promise<Error> | undefined;
    await goneBehindOurBack(at, () => {
      failing = failureOf(client.query('SELECT SLEEP(600)'));
      return Promise.resolve();
    });
    await at.managed.reclaim(at.managed.leases()[0]!, reason);
    expect(await failing).toBeInstanceOf(Error);
    await killed(at);
    expect(witness.escaped).toEqual([]);
  });
});

test('a statement that runs is ended on the server, also where others wait for a connection', async () => {
  const at = await start(1);
  const isRunning = async (): Promise<boolean> =>
    (await db.sessions()).some(({ query }) => /SLEEP\(600\)/.test(query ?? ''));
  const client = await at.pool.getConnection();
  const failing = failureOf(client.query('SELECT SLEEP(600)'));
  await until('it to run', isRunning);
  const waiting = at.pool.query('SELECT 1');
  await at.managed.reclaim(at.managed.leases()[0]!, reason);
  expect(await failing).toBeInstanceOf(Error);
  await waiting;
  await until('it to be ended', async () => !(await isRunning()));
  expect(witness.escaped).toEqual([]);
});

import { setImmediate } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { of } from 'rxjs';
import { DataSource } from 'typeorm';
import { managePool, runInTransaction, Transactional, unmanagePool } from 'holdfast';
import { PrismaPg } from '@prisma/adapter-pg';
import { type Alert, slackWebhook } from 'holdfast/pool-monitor';
import { managePrisma } from 'holdfast/prisma';
import { createPoolMonitor } from 'holdfast/pool-monitor';
import { expectNoLeaks, ManualClock, rollbackPerTest } from 'holdfast/testing';
import { manageDataSource } from 'holdfast/typeorm';
import { runOnTransactionCommit } from 'holdfast/typeorm-transactional';
import { PrismaClient } from '../prisma/generated/client.js';
import type { TestDatabase } from '../harness/database.js';
import type { MysqlDatabase } from '../harness/mysql-database.js';
import { startSlack } from '../harness/slack/slack-server.js';
import { migrationProvocations } from './migration-provocations.js';

/** How each error that docs/errors.md describes comes about: by its class, the way there. Each rejects with it. */
export type Provocations = Readonly<
  Record<string, (db: TestDatabase, mariadb: MysqlDatabase) => Promise<unknown>>
>;

class Orders {
  constructor(private readonly pool: Pool) {}

  @Transactional()
  place<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
    return work(this.pool);
  }

  @Transactional({ propagation: 'REQUIRES_NEW' })
  async audit(): Promise<void> {
    await this.pool.query(`INSERT INTO audit (note) VALUES ('order')`);
  }

  @Transactional({ isolationLevel: 'SERIALIZABLE' })
  async total(): Promise<void> {}

  @Transactional({ readOnly: true })
  list<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  @Transactional({ propagation: 'MANDATORY' })
  async addLine(): Promise<void> {}

  @Transactional({ timeoutMs: 50 })
  async report(): Promise<void> {
    await this.pool.query('SELECT pg_sleep(60)');
  }

  @Transactional({ dataSource: ['shop', 'ledger'] })
  book<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  /** Forgets to release. */
  async export(): Promise<PoolClient> {
    return this.pool.connect();
  }

  @Transactional()
  async stream(): Promise<unknown> {
    return of(1);
  }
}

interface PoolOptions {
  readonly name?: string;
  readonly max?: number;
  readonly connectionString?: string;
}

function managedPool(db: TestDatabase, { name = 'default', ...options }: PoolOptions = {}): Pool {
  const pool = db.pool(options);
  pool.on('error', () => undefined);
  const managed = managePool(pool, { name });
  db.defer(() => unmanagePool(managed));
  return pool;
}

const ordersOn = (db: TestDatabase, options?: PoolOptions): Orders => new Orders(managedPool(db, options));

async function throughProxy(db: TestDatabase, work: (orders: Orders) => Promise<unknown>): Promise<unknown> {
  const proxy = await db.proxy();
  const pool = managedPool(db, { connectionString: proxy.url(db.url) });
  proxy.once(/^COMMIT/, { action: 'cut-before' });
  return work(new Orders(pool));
}

const insert = (pool: Pool): Promise<unknown> =>
  pool.query(`INSERT INTO orders (item, quantity) VALUES ('pen', 1)`);

export const provocations: Provocations = {
  ...migrationProvocations,
  InvalidOptionsError: async () => Transactional({ timeoutMS: 50 } as object),
  UnknownDataSourceError: async (db) => {
    managedPool(db);
    return runInTransaction(async () => undefined, { dataSource: 'reports' });
  },
  DuplicateDataSourceError: async (db) => {
    managedPool(db);
    return managePool(db.pool());
  },
  UnsupportedDriverError: async () => managePool({} as Pool),
  DataSourceNotInitializedError: async (db) =>
    manageDataSource(new DataSource({ type: 'postgres', url: db.url })),
  UnsupportedPrismaClientError: async (db) =>
    managePrisma(new PrismaClient({ adapter: new PrismaPg({ connectionString: db.url }) })),
  PoolEndedError: async (db) => {
    const pool = managedPool(db);
    await pool.end();
    return new Orders(pool).place(insert);
  },
  AcquireTimeoutError: async (db) => {
    const pool = managedPool(db, { max: 1 });
    const client = await pool.connect();
    // It limits the opening of a connection as well, which may take longer.
    Object.assign(pool.options, { connectionTimeoutMillis: 50 });
    return new Orders(pool).place(insert).finally(() => client.release());
  },
  SelfDeadlockError: async (db) => {
    const orders = ordersOn(db, { max: 1 });
    return orders.place(async (pool) => {
      await insert(pool);
      await orders.audit();
    });
  },
  LeaseReleasedError: async (db) => {
    const client = await managedPool(db).connect();
    client.release();
    return client.release();
  },
  StaleLeaseError: async (db) => {
    const pool = managedPool(db, { max: 1 });
    const stale = await pool.connect();
    stale.release();
    const next = await pool.connect();
    return stale.query('SELECT 1').finally(() => next.release());
  },
  LeaseReclaimedError: async (db) => {
    const clock = new ManualClock();
    const pool = db.pool({ max: 1 });
    const managed = managePool(pool, { clock });
    const monitor = createPoolMonitor({ clock, reclaim: { mode: 'on' } }).start();
    db.defer(async () => {
      await monitor.stop();
      unmanagePool(managed);
    });
    const leaked = await new Orders(pool).export();
    clock.advance(301_000);
    while (managed.leases().length > 0) await setImmediate();
    return leaked.query('SELECT 1').finally(() => leaked.release());
  },
  TransactionControlError: (db) => ordersOn(db).place((pool) => pool.query('COMMIT')),
  ConnectionLostError: (db) =>
    ordersOn(db).place(async (pool) => {
      const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const client = await pool.connect();
      const ended = new Promise<void>((resolve) => client.once('end', resolve));
      await db.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
      await ended;
      await insert(pool);
    }),
  TransactionClosedError: async (db) => {
    let late: () => Promise<unknown> = async () => undefined;
    let reach: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (reach = resolve));
    let statement: Promise<unknown> = Promise.resolve();
    await ordersOn(db).place(async (pool) => {
      late = () => insert(pool);
      statement = over.then(() => late());
    });
    reach();
    return statement;
  },
  UnexpectedRollbackError: (db) =>
    ordersOn(db).place(async (pool) => {
      await pool.query('SELECT 1 / 0').catch(() => undefined);
    }),
  IsolationMismatchError: async (db) => {
    const orders = ordersOn(db);
    return orders.place(() => orders.total());
  },
  ReadOnlyMismatchError: async (db) => {
    const orders = ordersOn(db);
    return orders.list(() => orders.place(insert));
  },
  TransactionalError: async () => runOnTransactionCommit(() => undefined),
  PropagationError: (db) => ordersOn(db).addLine(),
  TransactionTimeoutError: async (db) => {
    const pool = managedPool(db);
    // A connection is there by the time that the 50 ms begin.
    await pool.query('SELECT 1');
    return new Orders(pool).report();
  },
  ShutdownError: async (db) => {
    const dataSource = new DataSource({ type: 'postgres', url: db.url });
    await dataSource.initialize();
    const { master } = dataSource.driver as unknown as { master: Pool };
    manageDataSource(dataSource, { shutdownTimeoutMs: 20 });
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => (begun = resolve));
    const order = new Orders(master).place(async (pool) => {
      await insert(pool);
      begun();
      await new Promise(() => undefined);
    });
    order.catch(() => undefined);
    await running;
    await dataSource.destroy();
    return order;
  },
  CommitFailedError: (db) => throughProxy(db, (orders) => orders.place(insert)),
  CommitOutcomeUnknownError: async (db) => {
    const proxy = await db.proxy();
    const pool = managedPool(db, { connectionString: proxy.url(db.url) });
    const cut = proxy.once(/^COMMIT/, { action: 'cut-after' });
    void cut.fired.then(() => proxy.refuse());
    return new Orders(pool).place(insert);
  },
  PartialCommitError: async (db) => {
    const proxy = await db.proxy();
    const shop = managedPool(db, { name: 'shop' });
    const ledger = managedPool(db, { name: 'ledger', connectionString: proxy.url(db.url) });
    proxy.once(/^COMMIT/, { action: 'cut-before' });
    return new Orders(shop).book(() => Promise.all([insert(shop), insert(ledger)]));
  },
  UnsupportedReturnError: (db) => ordersOn(db).stream(),
  SavepointOrderError: (db) =>
    ordersOn(db).place(async (pool) => {
      const [one, two] = [await pool.connect(), await pool.connect()];
      await one.query('BEGIN');
      await two.query('BEGIN');
      await one.query('COMMIT');
    }),
  SinkError: async () => {
    const slack = await startSlack();
    slack.channelState = 'archived';
    const alert = { title: 'a leak', summary: '', advice: '', key: 'leak', facts: [] } as unknown as Alert;
    const sending = slackWebhook({ url: slack.webhookUrl }).send(alert, new AbortController().signal);
    return sending.finally(() => slack.close());
  },
  TestTransactionError: async (db) => {
    const orders = ordersOn(db);
    const hooks: (() => Promise<void>)[] = [];
    const register = (hook: () => Promise<void>): unknown => hooks.push(hook);
    rollbackPerTest({ beforeEach: register, afterEach: register });
    const [begin, end] = hooks;
    await begin!();
    const order = orders.place(async (pool) => {
      await insert(pool);
      await orders.audit();
    });
    return order.finally(end);
  },
  LeakedConnectionError: async (db) => {
    const hooks: (() => Promise<void>)[] = [];
    const register = (hook: () => Promise<void>): unknown => hooks.push(hook);
    expectNoLeaks({ beforeEach: register, afterEach: register });
    const [begin, end] = hooks;
    const pool = managedPool(db);
    await begin!();
    await new Orders(pool).export();
    return end!();
  },
};

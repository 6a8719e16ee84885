import type { AddressInfo } from 'node:net';
import { Controller, type INestApplication, Injectable, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository } from '@nestjs/typeorm';
import { DataSource, type Repository } from 'typeorm';
import { runInTransaction, setLogger, ShutdownError, Transactional } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { useDatabase } from '../harness/database.js';
import { closeAtEnd, Entry, labels, RecordingLogger, typeormImports } from './application.js';

const db = useDatabase();
afterEach(async () => {
  setLogger(undefined);
  await db.truncate();
});

@Injectable()
class EntryService {
  constructor(@InjectRepository(Entry) private readonly entries: Repository<Entry>) {}

  /** Its second statement waits for as long as the test holds the account. */
  @Transactional()
  async add(): Promise<void> {
    await this.entries.save({ label: 'first' });
    await this.entries.query('LOCK TABLE account');
    await this.entries.save({ label: 'second' });
  }
}

/** What a request waits for before its transaction begins. */
let beforeTransaction = Promise.resolve();

@Controller('entries')
class EntryController {
  constructor(private readonly entries: EntryService) {}

  @Post()
  async add(): Promise<object> {
    await beforeTransaction;
    await this.entries.add();
    return { added: true };
  }
}

const logger = new RecordingLogger();
beforeEach(() => {
  logger.lines.length = 0;
  beforeTransaction = Promise.resolve();
});

async function start(shutdownTimeoutMs?: number): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [
      HoldfastModule.forRoot({ logger, ...(shutdownTimeoutMs && { shutdownTimeoutMs }) }),
      ...typeormImports(db),
    ],
    controllers: [EntryController],
    providers: [EntryService],
  }).compile();
  const app = closeAtEnd(db, module.createNestApplication({ logger: false }));
  await app.listen(0, '127.0.0.1');
  return app;
}

function urlOf(app: INestApplication): string {
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/entries`;
}

/** Somebody else's session, which holds the account until it is told to let go. */
async function holdAccount(): Promise<() => Promise<unknown>> {
  const holder = await db.client();
  await holder.query('BEGIN; LOCK TABLE account');
  return () => holder.query('COMMIT');
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

const untilItWaits = (): Promise<void> =>
  until(async () => {
    const [row] = await db.query<{ waiting: number }>(
      // Of this database: a table has the same number in all that were made from one template.
      `SELECT count(*)::int AS waiting FROM pg_locks WHERE NOT granted AND relation = 'account'::regclass
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return row?.waiting === 1;
  });

const untilItListensNoMore = (url: string): Promise<void> =>
  until(() =>
    fetch(url, { headers: { connection: 'close' } }).then(
      () => false,
      () => true,
    ),
  );

/** The server notices a little later than the client that a connection is closed. */
const untilSessions = (count: number): Promise<void> =>
  until(async () => (await db.sessions()).length === count);

/** The ways in which a transaction comes to run while its application closes. */
const request = async (app: INestApplication) => {
  // A connection that is kept alive would be Nest's to wait for.
  const response = await fetch(urlOf(app), {
    method: 'POST',
    headers: { connection: 'close' },
  });
  if (!response.ok) throw new Error(`the client saw ${response.status}`);
};
const ways = [
  {
    way: 'a call',
    run: (app: INestApplication) => app.get(EntryService).add(),
    failure: {
      code: ShutdownError.code,
      message: expect.stringContaining('"EntryService.add" still ran 150 ms'),
    },
  },
  { way: 'an HTTP request', run: request, failure: { message: 'the client saw 500' } },
];

describe.each(ways)('app.close() while the transaction of $way runs', ({ run, failure }) => {
  test('waits for it, when it ends in time', async () => {
    const app = await start();
    const url = urlOf(app);
    const letGo = await holdAccount();
    const running = run(app);
    await untilItWaits();

    let closed = false;
    const closing = app.close().then(() => (closed = true));
    await untilItListensNoMore(url);
    expect(closed).toBe(false);
    await letGo();

    await running;
    await closing;
    expect(await labels(db)).toEqual(['first', 'second']);
    expect(logger.lines).toEqual([]);
    await untilSessions(1);
  });

  test('rolls it back after shutdownTimeoutMs, tells the caller, and says which', async () => {
    const app = await start(150);
    const letGo = await holdAccount();
    const running = Promise.allSettled([run(app)]);
    await untilItWaits();

    await app.close();

    const [end] = await running;
    await letGo();
    expect(end).toMatchObject({ status: 'rejected', reason: failure });
    expect(logger.lines.filter(({ level }) => level === 'warn')).toEqual([
      expect.objectContaining({
        fields: expect.objectContaining({
          transaction: 'EntryService.add',
          dataSource: 'default',
          limitMs: 150,
        }),
        message: expect.stringContaining(
          '"EntryService.add" still ran 150 ms after shutdown began; it is rolled back',
        ),
      }),
    ]);
    expect(await labels(db)).toEqual([]);
    await untilSessions(1);
  });
});

test.each(['first', 'last'])(
  'a transaction that runs while its application closes can still begin an independent one: holdfast is imported %s',
  async (place) => {
    const holdfast = HoldfastModule.forRoot({ logger });
    const module = await Test.createTestingModule({
      imports: place === 'first' ? [holdfast, ...typeormImports(db)] : [...typeormImports(db), holdfast],
      providers: [EntryService],
    }).compile();
    const app = await closeAtEnd(db, module).init();
    const letGo = await holdAccount();
    const [service, dataSource] = [app.get(EntryService), app.get(DataSource)];
    const running = runInTransaction(async () => {
      await service.add();
      await runInTransaction(() => dataSource.getRepository(Entry).save({ label: 'independent' }), {
        propagation: 'REQUIRES_NEW',
      });
    });
    await untilItWaits();

    let destroying = (): void => {};
    const reached = new Promise<void>((resolve) => (destroying = resolve));
    const destroy = dataSource.destroy.bind(dataSource);
    dataSource.destroy = () => (destroying(), destroy());
    const closed = app.close();
    await reached;
    await letGo();

    await running;
    await closed;
    expect((await labels(db)).toSorted()).toEqual(['first', 'independent', 'second']);
  },
);

test('a transaction that a request begins after app.close() is bound by the same limit', async () => {
  const app = await start(300);
  const url = urlOf(app);
  let goOn = (): void => {};
  beforeTransaction = new Promise((resolve) => (goOn = resolve));
  const letGo = await holdAccount();
  const answer = request(app).catch((error: Error) => error.message);
  await fetch(url, { headers: { connection: 'close' } });

  const closing = app.close();
  await untilItListensNoMore(url);
  goOn();
  await closing;

  expect(await answer).toBe('the client saw 500');
  await letGo();
  expect(await labels(db)).toEqual([]);
});

test('with nothing running, app.close() waits for no limit', async () => {
  const app = await start(2_000_000_000);

  await app.close();

  expect(logger.lines).toEqual([]);
  await untilSessions(0);
});

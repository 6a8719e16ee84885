import {
  type BeforeApplicationShutdown,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Repository } from 'typeorm';
import { managePool, runInTransaction, setLogger, Transactional, unmanagePool } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { systemClock } from '../../src/core/index.js';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from '../prisma/generated/client.js';
import { Entry, labels, RecordingLogger, startApplication, typeormImports } from './application.js';

const db = useDatabase();
const logger = new RecordingLogger();
beforeEach(() => {
  logger.lines.length = 0;
});
afterEach(async () => {
  setLogger(undefined);
  await db.truncate();
});

@Injectable()
class Entries {
  constructor(@InjectRepository(Entry) private readonly entries: Repository<Entry>) {}

  @Transactional()
  async add(label: string): Promise<void> {
    await this.entries.save({ label });
  }
}

/** Begins one transaction after the other until it is refused one. */
@Injectable()
class Consumer implements OnApplicationBootstrap {
  ended: Promise<unknown> | undefined;
  handled = 0;
  private atWork: (() => void) | undefined;
  readonly working = new Promise<void>((resolve) => (this.atWork = resolve));

  constructor(private readonly entries: Entries) {}

  onApplicationBootstrap(): void {
    this.ended = this.consume().catch((error: unknown) => error);
  }

  private async consume(): Promise<never> {
    for (;;) {
      await this.entries.add('message');
      if (++this.handled === 3) this.atWork?.();
    }
  }
}

test('app.close() drains a consumer that goes on working, and ends none of its transactions', async () => {
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot({ logger, shutdownTimeoutMs: 30_000 }), ...typeormImports(db)],
    providers: [Entries, Consumer],
  });
  const consumer = app.get(Consumer);
  await consumer.working;
  await app.close();

  expect(await consumer.ended).toMatchObject({ code: 'SHUTDOWN', retryable: true });
  expect(logger.lines).toEqual([]);
  expect(await labels(db)).toHaveLength(consumer.handled);
});

@Injectable()
class Goodbye implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(private readonly entries: Entries) {}

  beforeApplicationShutdown(): Promise<void> {
    return this.entries.add('before');
  }

  onApplicationShutdown(): Promise<void> {
    return this.entries.add('on');
  }
}

test.each(['first', 'last'])(
  'the shutdown hooks of other providers still have transactions: holdfast is imported %s',
  async (place) => {
    const holdfast = HoldfastModule.forRoot({ logger });
    const app = await startApplication(db, {
      imports: place === 'first' ? [holdfast, ...typeormImports(db)] : [...typeormImports(db), holdfast],
      providers: [Entries, Goodbye],
    });
    await app.close();
    expect(await labels(db)).toEqual(['before', 'on']);
  },
);

test('after app.close() a late caller is told that the data source was shut down', async () => {
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot({ logger }), ...typeormImports(db)],
    providers: [Entries],
  });
  await app.close();
  await expect(app.get(Entries).add('late')).rejects.toMatchObject({
    code: 'UNKNOWN_DATA_SOURCE',
    message: expect.stringContaining(
      'Data source "default" was shut down and is no longer managed.',
    ) as unknown,
  });
});

/** Takes the timers of this delay out of the clock's hands until the test ends: they are due when the test calls them. */
function dueAfter(wantedMs: number): Set<() => void> {
  const due = new Set<() => void>();
  const { setTimer } = systemClock;
  systemClock.setTimer = (callback, delayMs) => {
    if (delayMs !== wantedMs) return setTimer(callback, delayMs);
    due.add(callback);
    return { clear: () => void due.delete(callback) };
  };
  db.defer(() => {
    systemClock.setTimer = setTimer;
  });
  return due;
}

test('the limit of an application that has closed is none for the next one on its pool', async () => {
  const limitMs = 12_345;
  const due = dueAfter(limitMs);
  const pool = db.pool({ max: 2 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
  const start = () =>
    startApplication(db, {
      imports: [HoldfastModule.forRoot({ logger, shutdownTimeoutMs: limitMs })],
      providers: [{ provide: PrismaClient, useValue: new PrismaClient({ adapter: new PrismaPg(pool) }) }],
    });
  const first = await start();
  await first.close();
  expect(due.size).toBe(1);
  await start();
  await runInTransaction(async () => {
    await pool.query("INSERT INTO entry (label) VALUES ('kept')");
    for (const callback of due) callback();
  });

  expect(await labels(db)).toEqual(['kept']);
  expect(logger.lines).toEqual([]);
});

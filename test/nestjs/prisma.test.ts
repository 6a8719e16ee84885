import {
  Inject,
  Injectable,
  type ModuleMetadata,
  type OnModuleDestroy,
  type OnModuleInit,
  Scope,
} from '@nestjs/common';
import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { PrismaPg } from '@prisma/adapter-pg';
import { REQUEST } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import pg from 'pg';
import { DataSource } from 'typeorm';
import {
  managePool,
  type ManagedPool,
  runInTransaction,
  setLogger,
  Transactional,
  unmanagePool,
} from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { managePrisma, UnsupportedPrismaClientError } from 'holdfast/prisma';
import { manageDataSource } from 'holdfast/typeorm';
import { startMariadbPool } from '../conformance/mysql-pools.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { PrismaClient } from '../prisma/generated/client.js';
import { PrismaClient as MysqlPrismaClient } from '../prisma/mysql/generated/client.js';
import { Entry, labels, RecordingLogger, startApplication, typeorm } from './application.js';

const db = useDatabase();
const mysql = useMysqlDatabase();
afterEach(async () => {
  setLogger(undefined);
  await db.truncate();
});

const POOL = 'the pool';

@Injectable()
class PrismaService extends PrismaClient implements OnModuleInit, OnModuleDestroy {
  constructor(@Inject(POOL) pool: pg.Pool) {
    super({ adapter: new PrismaPg(pool) });
  }

  // As Prisma's own recipe for Nest has it; it may come before holdfast's turn.
  async onModuleInit(): Promise<void> {
    await this.$connect();
  }

  async onModuleDestroy(): Promise<void> {
    await this.$disconnect();
  }
}

@Injectable()
class Entries {
  constructor(readonly prisma: PrismaService) {}

  @Transactional()
  async addAndFail(): Promise<void> {
    await this.prisma.entry.create({ data: { label: 'lost' } });
    throw new Error('rolled back');
  }

  @Transactional()
  async add(label: string): Promise<void> {
    await this.prisma.entry.create({ data: { label } });
  }
}

/** A pool that the application has put under management where it makes it. */
const poolProvider = {
  provide: POOL,
  useFactory: () => {
    const pool = db.pool({ max: 3 });
    const managed: ManagedPool = managePool(pool);
    db.defer(() => unmanagePool(managed));
    return pool;
  },
};

test('an application with Prisma and without TypeORM', async () => {
  const logger = new RecordingLogger();
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot({ logger })],
    providers: [poolProvider, PrismaService, Entries],
  });
  await expect(app.get(Entries).addAndFail()).rejects.toThrow('rolled back');
  await app.get(Entries).add('kept');
  expect(await labels(db)).toEqual(['kept']);
  expect(logger.lines).toEqual([]);
});

test('an application with Prisma on a managed pool of mariadb, connected before holdfast sees it', async () => {
  @Injectable()
  class MysqlPrismaService extends MysqlPrismaClient implements OnModuleInit, OnModuleDestroy {
    constructor() {
      super({ adapter: new PrismaMariaDb(startMariadbPool(mysql).pool as never) });
    }

    async onModuleInit(): Promise<void> {
      await this.$connect();
    }

    async onModuleDestroy(): Promise<void> {
      await this.$disconnect();
    }
  }
  const logger = new RecordingLogger();
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot({ logger })],
    providers: [MysqlPrismaService],
  });
  const prisma = app.get(MysqlPrismaService);
  const failing = runInTransaction(async () => {
    await prisma.entry.create({ data: { label: 'lost' } });
    throw new Error('rolled back');
  });
  await expect(failing).rejects.toThrow('rolled back');
  expect(await prisma.entry.count()).toBe(0);
  expect(logger.lines).toEqual([]);
  await app.close();
});

test('an extended client as a provider joins as well', async () => {
  const EXTENDED = 'extended';
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot()],
    providers: [
      poolProvider,
      {
        provide: EXTENDED,
        inject: [POOL],
        useFactory: (pool: pg.Pool) => new PrismaClient({ adapter: new PrismaPg(pool) }).$extends({}),
      },
    ],
  });
  const prisma = app.get<PrismaClient>(EXTENDED);
  db.defer(() => prisma.$disconnect());
  const failing = runInTransaction(async () => {
    await prisma.entry.create({ data: { label: 'lost' } });
    throw new Error('rolled back');
  });
  await expect(failing).rejects.toThrow('rolled back');
  expect(await labels(db)).toEqual([]);
});

test('TypeORM and Prisma in one transaction: the client is made on the pool of the DataSource', async () => {
  const app = await startApplication(db, {
    imports: [TypeOrmModule.forRoot(typeorm(db)), HoldfastModule.forRoot()],
    providers: [
      {
        provide: POOL,
        inject: [DataSource],
        useFactory: (dataSource: DataSource) => manageDataSource(dataSource).primary.native,
      },
      PrismaService,
      Entries,
    ],
  });
  const both = (): Promise<number> =>
    runInTransaction(async () => {
      await app.get(DataSource).getRepository(Entry).save({ label: 'typeorm' });
      await app.get(Entries).add('prisma');
      return app.get(PrismaService).entry.count();
    });
  expect(await both()).toBe(2);
  const failing = runInTransaction(async () => {
    await both();
    throw new Error('rolled back');
  });
  await expect(failing).rejects.toThrow('rolled back');
  expect(await labels(db)).toEqual(['typeorm', 'prisma']);
});

describe('the start fails with the line to change', () => {
  const start = (pool: () => unknown): Promise<unknown> =>
    startApplication(db, {
      imports: [TypeOrmModule.forRoot(typeorm(db)), HoldfastModule.forRoot()],
      providers: [{ provide: POOL, useFactory: pool }, PrismaService],
    });

  test('for a client on a pool of its own, beside a managed DataSource', async () => {
    const failure = await start(() => ({ connectionString: db.url })).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnsupportedPrismaClientError);
    expect(failure).toMatchObject({
      message: expect.stringMatching(
        /a pool of its own\. Give its adapter the managed pool: new PrismaPg\(pool\)/,
      ),
    });
  });

  test('for a client on a pool that nobody manages', async () => {
    const failure = await start(() => db.pool()).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: UnsupportedPrismaClientError.code,
      message: expect.stringContaining('Call managePool(pool)'),
    });
  });
});

describe.each(['on a pool of its own', 'that is an unsupported one alone'])(
  'a start that holdfast refuses for a client %s',
  (which) => {
    test('keeps no name from the next application in the process', async () => {
      const failing = startApplication(db, {
        imports: [TypeOrmModule.forRoot(typeorm(db)), HoldfastModule.forRoot()],
        providers: [
          { provide: POOL, useFactory: () => ({ connectionString: db.url }) },
          which === 'on a pool of its own'
            ? PrismaService
            : {
                provide: 'old',
                useValue: {
                  [Symbol.toStringTag]: 'PrismaClient',
                  $transaction: () => undefined,
                  _clientVersion: '6.19.0',
                  _engineConfig: {},
                },
              },
        ],
      });
      await expect(failing).rejects.toBeInstanceOf(UnsupportedPrismaClientError);

      const next = await startApplication(db, {
        imports: [TypeOrmModule.forRoot(typeorm(db)), HoldfastModule.forRoot()],
      });
      const lost = runInTransaction(async () => {
        await next.get(DataSource).query("INSERT INTO entry (label) VALUES ('lost')");
        throw new Error('rolled back');
      });
      await expect(lost).rejects.toThrow('rolled back');
      expect(await labels(db)).toEqual([]);
    });
  },
);

describe('a client that Nest does not make once', () => {
  /** In its constructor, because nobody can find it there at the start. */
  @Injectable({ scope: Scope.REQUEST })
  class PerRequest extends PrismaClient {
    constructor(@Inject(POOL) pool: pg.Pool) {
      super({ adapter: new PrismaPg(pool) });
      managePrisma(this);
    }
  }
  @Injectable()
  class OfTheRequest extends PrismaClient {
    constructor(
      @Inject(POOL) pool: pg.Pool,
      @Inject(REQUEST) readonly request: unknown,
    ) {
      super({ adapter: new PrismaPg(pool) });
      managePrisma(this);
    }
  }
  @Injectable({ scope: Scope.TRANSIENT })
  class Transient extends PrismaClient {
    constructor(@Inject(POOL) pool: pg.Pool) {
      super({ adapter: new PrismaPg(pool) });
    }
  }
  const clients = { PerRequest, OfTheRequest, Transient };

  test.each(Object.entries(clients))('%s, is no reason to end the start, and joins', async (_, Client) => {
    @Injectable()
    class Writes {
      constructor(@Inject(Client) readonly prisma: PrismaClient) {}

      @Transactional()
      async addAndFail(): Promise<void> {
        await this.prisma.entry.create({ data: { label: 'lost' } });
        throw new Error('rolled back');
      }
    }
    const app = await startApplication(db, {
      imports: [HoldfastModule.forRoot()],
      providers: [poolProvider, Client, Writes] as NonNullable<ModuleMetadata['providers']>,
    });
    const writes = await (Client === Transient ? app.get(Writes) : app.resolve(Writes));
    db.defer(() => writes.prisma.$disconnect());
    await expect(writes.addAndFail()).rejects.toThrow('rolled back');
    expect(await labels(db)).toEqual([]);
    // What managePrisma() gives, and a pool alone does not.
    const both = ['a', 'b'].map((label) =>
      runInTransaction(async () => {
        const { id } = await writes.prisma.entry.create({ data: { label } });
        return (await writes.prisma.entry.findUnique({ where: { id } }))?.label;
      }),
    );
    expect(await Promise.all(both)).toEqual(['a', 'b']);
  });

  test('is refused at the start where it is transient, injected, and on a pool of its own', async () => {
    @Injectable()
    class Holder {
      constructor(readonly prisma: Transient) {}
    }
    const start = startApplication(db, {
      imports: [HoldfastModule.forRoot()],
      providers: [{ provide: POOL, useValue: { connectionString: db.url } }, Transient, Holder],
    });
    await expect(start).rejects.toBeInstanceOf(UnsupportedPrismaClientError);
  });
});

test('an application whose only client is inside a provider is told what that needs, and which pools are managed', async () => {
  const logger = new RecordingLogger();
  await startApplication(db, { imports: [HoldfastModule.forRoot({ logger })], providers: [poolProvider] });
  expect(logger.lines).toEqual([
    {
      level: 'info',
      fields: {},
      message: expect.stringMatching(
        /found no .*PrismaClient among the providers.*Managed without it: "default"\. A PrismaClient that is no provider itself, .* needs managePrisma\(prisma\)/,
      ),
    },
  ]);
});

test('a pool that a module manages in its onModuleInit is in time', async () => {
  const pool = db.pool();
  @Injectable()
  class LateModule implements OnModuleInit {
    onModuleInit(): void {
      const managed = managePool(pool);
      db.defer(() => unmanagePool(managed));
    }
  }
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot()],
    providers: [{ provide: POOL, useValue: pool }, LateModule, PrismaService, Entries],
  });
  await expect(app.get(Entries).addAndFail()).rejects.toThrow('rolled back');
  expect(await labels(db)).toEqual([]);
});

test('a client of another database beside a managed data source is left alone, with a warning', async () => {
  const logger = new RecordingLogger();
  const foreign = {
    [Symbol.toStringTag]: 'PrismaClient',
    $transaction: () => undefined,
    _engineConfig: { adapter: { adapterName: '@prisma/adapter-mssql' } },
  };
  await startApplication(db, {
    imports: [TypeOrmModule.forRoot(typeorm(db)), HoldfastModule.forRoot({ logger })],
    providers: [{ provide: 'foreign', useValue: foreign }],
  });
  expect(logger.lines).toEqual([
    expect.objectContaining({
      level: 'warn',
      message: expect.stringContaining('adapter @prisma/adapter-mssql'),
    }),
  ]);
});

test('the shutdown of an application with Prisma only rolls back what does not end in time', async () => {
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot({ shutdownTimeoutMs: 20 })],
    providers: [poolProvider, PrismaService, Entries],
  });
  const holder = await db.client();
  await holder.query('SELECT pg_advisory_lock(9)');
  const { prisma } = app.get(Entries);
  const hanging = runInTransaction(async () => {
    await prisma.entry.create({ data: { label: 'lost' } });
    await prisma.$executeRaw`SELECT pg_advisory_xact_lock(9)`;
  });
  const failure = hanging.catch((error: unknown) => error);
  const closed = app.close();
  expect(await failure).toMatchObject({ code: 'SHUTDOWN' });
  await closed;
  expect(await labels(db)).toEqual([]);
});

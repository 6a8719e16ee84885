import { Injectable, type ModuleMetadata } from '@nestjs/common';
import { InjectDataSource, TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  currentTransaction,
  DuplicateDataSourceError,
  runInTransaction,
  setLogger,
  Transactional,
  UnknownDataSourceError,
  UnsupportedDriverError,
} from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { manageDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../harness/database.js';
import { Entry, labels, RecordingLogger, startApplication, typeorm, typeormImports } from './application.js';

const db = useDatabase();
const other = useDatabase();
afterEach(async () => {
  setLogger(undefined);
  await db.truncate();
  await other.truncate();
});

@Injectable()
class TwoDatabases {
  constructor(
    @InjectDataSource() private readonly main: DataSource,
    @InjectDataSource('audit') private readonly audit: DataSource,
  ) {}

  /** Writes to both; only the named one is in the transaction. */
  @Transactional({ dataSource: 'audit' })
  async inAudit(): Promise<void> {
    await this.write();
    throw new Error('rolled back');
  }

  @Transactional()
  async inMain(): Promise<void> {
    await this.write();
    throw new Error('rolled back');
  }

  @Transactional()
  async inBoth(): Promise<string[]> {
    return runInTransaction(
      async () => {
        await this.write();
        return ['default', 'audit'].map((name) => currentTransaction(name)!.name);
      },
      { dataSource: 'audit', name: 'inner' },
    );
  }

  private async write(): Promise<void> {
    await this.main.getRepository(Entry).save({ label: 'main' });
    await this.audit.getRepository(Entry).save({ label: 'audit' });
  }
}

/** The ways in which a Nest application comes by a second data source. */
const secondDataSource: Record<string, () => ModuleMetadata['imports']> = {
  'forRoot({ name })': () => [TypeOrmModule.forRoot({ ...typeorm(other), name: 'audit' })],
  'forRootAsync({ name })': () => [
    TypeOrmModule.forRootAsync({ name: 'audit', useFactory: () => typeorm(other) }),
  ],
  'a dataSourceFactory that drops the name': () => [
    TypeOrmModule.forRootAsync({
      name: 'audit',
      useFactory: () => typeorm(other),
      dataSourceFactory: (options) => {
        const { name: _name, ...rest } = options as DataSourceOptions & { name?: string };
        return new DataSource(rest).initialize();
      },
    }),
  ],
  'a data source that its factory has put under management itself': () => [
    TypeOrmModule.forRootAsync({
      name: 'audit',
      useFactory: () => typeorm(other),
      dataSourceFactory: async (options) => {
        const dataSource = await new DataSource(options!).initialize();
        manageDataSource(dataSource, { name: 'audit' });
        return dataSource;
      },
    }),
  ],
};

describe.each(Object.entries(secondDataSource))('a second data source by %s', (_, imports) => {
  const start = async (): Promise<TwoDatabases> => {
    const app = await startApplication(db, {
      imports: [HoldfastModule.forRoot(), TypeOrmModule.forRoot(typeorm(db)), ...imports()!],
      providers: [TwoDatabases],
    });
    return app.get(TwoDatabases);
  };

  test('has a transaction of its own under its name', async () => {
    await expect((await start()).inAudit()).rejects.toThrow('rolled back');

    expect([await labels(db), await labels(other)]).toEqual([['main'], []]);
  });

  test('is not in the transaction of the first', async () => {
    await expect((await start()).inMain()).rejects.toThrow('rolled back');

    expect([await labels(db), await labels(other)]).toEqual([[], ['audit']]);
  });

  test('can be in a transaction inside one of the first', async () => {
    expect(await (await start()).inBoth()).toEqual(['TwoDatabases.inBoth', 'inner']);
    expect([await labels(db), await labels(other)]).toEqual([['main'], ['audit']]);
  });
});

test('a data source that the application has managed itself keeps its name and its options', async () => {
  await startApplication(db, {
    imports: [HoldfastModule.forRoot({ shutdownTimeoutMs: 5000 })],
    providers: [
      {
        provide: getDataSourceToken('shop'),
        useFactory: async () => {
          const dataSource = await new DataSource(typeorm(db) as DataSourceOptions).initialize();
          db.defer(() => dataSource.destroy());
          manageDataSource(dataSource, { name: 'orders', shutdownTimeoutMs: 300 });
          return dataSource;
        },
      },
    ],
  });

  expect(await runInTransaction(async () => currentTransaction()?.dataSource, { dataSource: 'orders' })).toBe(
    'orders',
  );
  await expect(runInTransaction(async () => {})).rejects.toThrow(UnknownDataSourceError);
});

test('an unknown name is refused with the names that exist', async () => {
  await startApplication(db, {
    imports: [
      HoldfastModule.forRoot(),
      TypeOrmModule.forRoot(typeorm(db)),
      TypeOrmModule.forRoot({ ...typeorm(other), name: 'audit' }),
    ],
  });

  await expect(runInTransaction(async () => {}, { dataSource: 'audti' })).rejects.toMatchObject({
    code: UnknownDataSourceError.code,
    message: expect.stringMatching(/named "audti".*Managed: "default", "audit"/),
  });
});

describe('manualInitialization', () => {
  const start = () => {
    const logger = new RecordingLogger();
    const app = startApplication(db, {
      imports: [
        HoldfastModule.forRoot({ logger }),
        TypeOrmModule.forRoot(typeorm(db, { manualInitialization: true })),
      ],
    });
    return { app, logger };
  };

  test('a data source that is initialised later is managed from its first transaction on', async () => {
    const dataSource = (await start().app).get(DataSource);
    await dataSource.initialize();

    const failing = runInTransaction(async () => {
      await dataSource.getRepository(Entry).save({ label: 'lost' });
      throw new Error('rolled back');
    });

    await expect(failing).rejects.toThrow('rolled back');
    expect(await labels(db)).toEqual([]);
  });

  test('until then a transaction is refused, and the start warns', async () => {
    const { app, logger } = start();
    await app;

    await expect(runInTransaction(async () => {})).rejects.toThrow(UnknownDataSourceError);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      expect.stringContaining('found no initialised TypeORM DataSource'),
    ]);
  });

  test('destroyed and initialised again, it is managed as before', async () => {
    const dataSource = (await start().app).get(DataSource);
    await dataSource.initialize();
    await runInTransaction(async () => dataSource.getRepository(Entry).save({ label: 'first' }));
    await dataSource.destroy();
    await dataSource.initialize();

    await runInTransaction(async () => dataSource.getRepository(Entry).save({ label: 'second' }));

    expect(await labels(db)).toEqual(['first', 'second']);
  });
});

test('two applications one after the other in one process', async () => {
  for (const label of ['first', 'second']) {
    const app = await startApplication(db, { imports: [...typeormImports(db), HoldfastModule.forRoot()] });
    await runInTransaction(async () => app.get(DataSource).getRepository(Entry).save({ label }));
    await app.close();
    await expect(runInTransaction(async () => {})).rejects.toThrow(UnknownDataSourceError);
  }
  expect(await labels(db)).toEqual(['first', 'second']);
});

test('two applications at once under one name: the start of the second says so, the first works on', async () => {
  const app = await startApplication(db, { imports: [...typeormImports(db), HoldfastModule.forRoot()] });

  const second = startApplication(db, { imports: [...typeormImports(db), HoldfastModule.forRoot()] });

  await expect(second).rejects.toMatchObject({
    code: DuplicateDataSourceError.code,
    message: expect.stringContaining('"default"'),
  });
  await runInTransaction(async () => app.get(DataSource).getRepository(Entry).save({ label: 'first' }));
  expect(await labels(db)).toEqual(['first']);
});

test('two applications at once under two names', async () => {
  await startApplication(db, { imports: [TypeOrmModule.forRoot(typeorm(db)), HoldfastModule.forRoot()] });
  const second = await startApplication(db, {
    imports: [TypeOrmModule.forRoot({ ...typeorm(db), name: 'second' }), HoldfastModule.forRoot()],
  });
  const dataSource = second.get<DataSource>(getDataSourceToken('second'), { strict: false });

  await expect(
    runInTransaction(
      async () => {
        await dataSource.getRepository(Entry).save({ label: 'lost' });
        throw new Error('rolled back');
      },
      { dataSource: 'second' },
    ),
  ).rejects.toThrow('rolled back');
  expect(await labels(db)).toEqual([]);
});

describe('a data source that holdfast cannot manage', () => {
  /** As TypeORM has it for another database; no driver of one is installed here. */
  const foreign = {
    '@instanceof': Symbol.for('DataSource'),
    isInitialized: true,
    options: { type: 'mongodb' },
    driver: {},
  };

  test('alone ends the start with UnsupportedDriverError', async () => {
    const starting = startApplication(db, {
      imports: [HoldfastModule.forRoot()],
      providers: [{ provide: 'logsDataSource', useValue: foreign }],
    });

    await expect(starting).rejects.toMatchObject({
      code: UnsupportedDriverError.code,
      message: expect.stringContaining('"logs" is of type mongodb'),
    });
  });

  test('beside one on PostgreSQL is left alone, with a warning', async () => {
    const logger = new RecordingLogger();
    const app = await startApplication(db, {
      imports: [HoldfastModule.forRoot({ logger }), ...typeormImports(db)],
      providers: [{ provide: 'logsDataSource', useValue: foreign }],
    });

    await runInTransaction(async () => app.get(DataSource).getRepository(Entry).save({ label: 'kept' }));
    expect(await labels(db)).toEqual(['kept']);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      expect.stringMatching(/"logs" is of type mongodb.*not managed/),
    ]);
  });
});

test('a provider that throws when it is looked at does not end the start', async () => {
  const touchy = new Proxy(
    {},
    {
      get(_target, key) {
        if (key === '@instanceof') throw new Error('not resolved yet');
        return undefined;
      },
    },
  );
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot(), ...typeormImports(db)],
    providers: [{ provide: 'TOUCHY', useValue: touchy }],
  });

  await runInTransaction(async () => app.get(DataSource).getRepository(Entry).save({ label: 'kept' }));
  expect(await labels(db)).toEqual(['kept']);
});

import {
  type DynamicModule,
  Global,
  Injectable,
  Module,
  type ModuleMetadata,
  type OnModuleInit,
} from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { DuplicateDataSourceError, runInTransaction, Transactional, UnknownDataSourceError } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { useDatabase } from '../harness/database.js';
import { closeAtEnd, Entry, labels, startApplication, typeorm, typeormImports } from './application.js';

const db = useDatabase();
afterEach(() => db.truncate());

/** Runs `work` when the application is at that point of its start. */
function atStart(point: 'its creation' | 'onModuleInit', work: () => unknown): DynamicModule {
  @Injectable()
  class Hooked {
    async onModuleInit(): Promise<void> {
      if (point === 'onModuleInit') await work();
    }
  }
  const made = {
    provide: 'made',
    inject: [{ token: DataSource, optional: true }],
    useFactory: () => point === 'its creation' && work(),
  };
  return { module: class Starting {}, providers: [Hooked, made] };
}

const fails = (): never => {
  throw new Error('the start fails');
};

/** Starts an application as a service does that tries again: nobody gets hold of one whose start fails. */
async function startOrFail(metadata: ModuleMetadata): Promise<void> {
  @Module(metadata)
  class Application {}
  const app = await NestFactory.createApplicationContext(Application, { logger: false, abortOnError: false });
  closeAtEnd(db, app);
}

/** The data sources of dead applications, which nobody else can close. */
const orphans: DataSource[] = [];
afterEach(async () => {
  for (const orphan of orphans.splice(0)) if (orphan.isInitialized) await orphan.destroy();
});
const typeormOrphan = (name?: string): DynamicModule =>
  TypeOrmModule.forRootAsync({
    ...(name && { name }),
    useFactory: () => typeorm(db),
    dataSourceFactory: async (options) => {
      const dataSource = await new DataSource(options!).initialize();
      orphans.push(dataSource);
      return dataSource;
    },
  });

describe.each(['its creation', 'onModuleInit'] as const)(
  'an application whose start fails in %s, and is never closed',
  (point) => {
    const failToStart = (): Promise<void> =>
      startOrFail({ imports: [typeormOrphan(), HoldfastModule.forRoot(), atStart(point, fails)] });

    test('is not in the way of the next attempt', async () => {
      await expect(failToStart()).rejects.toThrow('the start fails');

      const app = await startApplication(db, { imports: [...typeormImports(db), HoldfastModule.forRoot()] });
      const failing = runInTransaction(async () => {
        await app.get(DataSource).getRepository(Entry).save({ label: 'lost' });
        throw new Error('rolled back');
      });
      await expect(failing).rejects.toThrow('rolled back');
      expect(await labels(db)).toEqual([]);
    });

    test('leaves no data source for an application that has none of that name', async () => {
      await expect(failToStart()).rejects.toThrow('the start fails');

      const seen: unknown[] = [];
      const look = async (): Promise<void> => {
        seen.push(await runInTransaction(async () => 'found').catch((error: unknown) => error));
      };
      await startApplication(db, {
        imports: [
          HoldfastModule.forRoot(),
          TypeOrmModule.forRoot({ ...typeorm(db), name: 'audit' }),
          atStart('onModuleInit', look),
        ],
      });
      await look();

      expect(seen).toEqual([expect.any(UnknownDataSourceError), expect.any(UnknownDataSourceError)]);
    });
  },
);

test('an application whose start failed leaves nothing once it is closed', async () => {
  const module = await Test.createTestingModule({
    imports: [HoldfastModule.forRoot(), ...typeormImports(db), atStart('onModuleInit', fails)],
  }).compile();
  const app = closeAtEnd(db, module);
  await expect(app.init()).rejects.toThrow('the start fails');
  await app.close();

  await expect(runInTransaction(async () => {})).rejects.toThrow(UnknownDataSourceError);
});

@Injectable()
class Entries {
  constructor(private readonly dataSource: DataSource) {}

  @Transactional()
  async addAndFail(): Promise<void> {
    await this.dataSource.getRepository(Entry).save({ label: 'lost' });
    throw new Error('rolled back');
  }
}

test('modules that are compiled and never initialised, one after the other, each use their own data source', async () => {
  for (const _round of ['first', 'second']) {
    const module = await Test.createTestingModule({
      imports: [HoldfastModule.forRoot(), typeormOrphan()],
      providers: [Entries],
    }).compile();
    await expect(module.get(Entries).addAndFail()).rejects.toThrow('rolled back');
  }
  expect(await labels(db)).toEqual([]);
});

test('a global module that is initialised before holdfast has transactions', async () => {
  @Injectable()
  class Seed extends Entries implements OnModuleInit {
    async onModuleInit(): Promise<void> {
      await expect(this.addAndFail()).rejects.toThrow('rolled back');
      await runInTransaction(() => this.add());
    }

    private async add(): Promise<void> {
      await this.source.getRepository(Entry).save({ label: 'seed' });
    }

    constructor(private readonly source: DataSource) {
      super(source);
    }
  }
  @Global()
  @Module({
    imports: [...typeormImports(db), HoldfastModule.forRoot()],
    providers: [
      { provide: Seed, inject: [DataSource], useFactory: (dataSource: DataSource) => new Seed(dataSource) },
    ],
  })
  class DatabaseModule {}
  await startApplication(db, { imports: [DatabaseModule] });

  expect(await labels(db)).toEqual(['seed']);
});

test('two applications that start at once, under two names, both have their data source', async () => {
  const start = (name: string) =>
    startApplication(db, {
      imports: [
        HoldfastModule.forRoot(),
        TypeOrmModule.forRoot({ ...typeorm(db), name }),
        {
          module: class Seeding {},
          providers: [
            {
              provide: 'seed',
              inject: [getDataSourceToken(name)],
              useFactory: (dataSource: DataSource) => ({
                onModuleInit: () =>
                  runInTransaction(async () => dataSource.getRepository(Entry).save({ label: name }), {
                    dataSource: name,
                  }),
              }),
            },
          ],
        },
      ],
    });
  await Promise.all([start('one'), start('two')]);

  expect((await labels(db)).toSorted()).toEqual(['one', 'two']);
  for (const dataSource of ['one', 'two'])
    expect(await runInTransaction(async () => 'found', { dataSource })).toBe('found');
});

describe('two applications of which the second begins before the first has started', () => {
  const begin = (name: string, more: ModuleMetadata['imports'] = []) =>
    Test.createTestingModule({
      imports: [HoldfastModule.forRoot(), TypeOrmModule.forRoot({ ...typeorm(db), name }), ...more],
    }).compile();

  test('the first finds what is loaded later, too', async () => {
    const [first, second] = [await begin('one'), await begin('two')];
    for (const app of [first, second]) await closeAtEnd(db, app).init();
    const dataSource = {
      provide: getDataSourceToken('lazy'),
      useFactory: () => new DataSource(typeorm(db) as DataSourceOptions).initialize(),
    };
    @Module({ providers: [dataSource] })
    class LazyModule {}
    const lazy = await first.get(LazyModuleLoader).load(() => LazyModule);
    orphans.push(lazy.get<DataSource>(getDataSourceToken('lazy')));

    expect(await runInTransaction(async () => 'found', { dataSource: 'lazy' })).toBe('found');
  });

  test('the start of the first fails: the next application has its name', async () => {
    const [first, second] = [await begin('one', [atStart('onModuleInit', fails)]), await begin('two')];
    for (const app of [first, second]) closeAtEnd(db, app);
    await expect(first.init()).rejects.toThrow('the start fails');
    await second.init();

    const third = await startApplication(db, {
      imports: [HoldfastModule.forRoot(), TypeOrmModule.forRoot({ ...typeorm(db), name: 'one' })],
    });
    const dataSource = third.get<DataSource>(getDataSourceToken('one'), { strict: false });
    const failing = runInTransaction(
      async () => {
        await dataSource.getRepository(Entry).save({ label: 'lost' });
        throw new Error('rolled back');
      },
      { dataSource: 'one' },
    );
    await expect(failing).rejects.toThrow('rolled back');
    expect(await labels(db)).toEqual([]);
  });
});

test('a data source that is initialised later, under a name that another application has, says so', async () => {
  await startApplication(db, { imports: [...typeormImports(db), HoldfastModule.forRoot()] });
  const second = await startApplication(db, {
    imports: [HoldfastModule.forRoot(), TypeOrmModule.forRoot(typeorm(db, { manualInitialization: true }))],
  });

  await expect(second.get(DataSource).initialize()).rejects.toThrow(DuplicateDataSourceError);
});

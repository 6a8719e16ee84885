import { Injectable, Module } from '@nestjs/common';
import { getRepositoryToken, InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import {
  InvalidOptionsError,
  runInTransaction,
  setLogger,
  Transactional,
  UnknownDataSourceError,
} from 'holdfast';
import { HoldfastModule, type HoldfastModuleOptions } from 'holdfast/nestjs';
import { useDatabase } from '../harness/database.js';
import { Entry, labels, RecordingLogger, startApplication, typeormImports } from './application.js';

const db = useDatabase();
afterEach(async () => {
  setLogger(undefined);
  await db.truncate();
});

@Injectable()
class EntryService {
  constructor(@InjectRepository(Entry) private readonly entries: Repository<Entry>) {}

  @Transactional()
  async addThenFail(label: string): Promise<void> {
    await this.entries.save({ label });
    throw new Error('too late');
  }

  @Transactional()
  async add(label: string): Promise<void> {
    await this.entries.save({ label });
  }
}

@Injectable()
class Settings {
  readonly logger = new RecordingLogger();
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

const ways = {
  'forRoot()': () => HoldfastModule.forRoot(),
  'forRoot({})': () => HoldfastModule.forRoot({ shutdownTimeoutMs: 500 }),
  'forRootAsync with a plain factory': () =>
    HoldfastModule.forRootAsync({ useFactory: () => ({ shutdownTimeoutMs: 500 }) }),
  'forRootAsync with an async factory': () =>
    HoldfastModule.forRootAsync({ useFactory: async () => ({ shutdownTimeoutMs: 500 }) }),
  'forRootAsync with injected settings': () =>
    HoldfastModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: ({ logger }: Settings) => ({ logger }),
    }),
  'forRootAsync with an optional dependency that is not there': () =>
    HoldfastModule.forRootAsync({
      inject: [{ token: 'NOBODY', optional: true }],
      useFactory: (nobody?: HoldfastModuleOptions) => nobody ?? {},
    }),
};

describe.each(Object.entries(ways))('%s', (_, way) => {
  test.each(['before', 'after'])('makes @Transactional() work, imported %s TypeOrmModule', async (place) => {
    const imports = typeormImports(db);
    const app = await startApplication(db, {
      imports: place === 'before' ? [way(), ...imports] : [...imports, way()],
      providers: [EntryService],
    });

    await expect(app.get(EntryService).addThenFail('lost')).rejects.toThrow('too late');
    await app.get(EntryService).add('kept');

    expect(await labels(db)).toEqual(['kept']);
  });
});

test('imported by two feature modules, it manages a data source once', async () => {
  @Module({ imports: [HoldfastModule.forRoot()] })
  class One {}
  @Module({ imports: [HoldfastModule.forRoot({ shutdownTimeoutMs: 100 })] })
  class Two {}
  const app = await startApplication(db, {
    imports: [...typeormImports(db), One, Two],
    providers: [EntryService],
  });

  await expect(app.get(EntryService).addThenFail('lost')).rejects.toThrow('too late');
  expect(await labels(db)).toEqual([]);
});

describe('imported twice, its options are one:', () => {
  const logger = new RecordingLogger();

  test.each<[string, HoldfastModuleOptions, HoldfastModuleOptions]>([
    ['shutdownTimeoutMs', { shutdownTimeoutMs: 100 }, { shutdownTimeoutMs: 200 }],
    ['acquireTimeoutMs', { acquireTimeoutMs: 100 }, { acquireTimeoutMs: 200 }],
    ['logger', { logger }, { logger: new RecordingLogger(), shutdownTimeoutMs: 100 }],
  ])('different values of %s are refused', async (key, first, second) => {
    const imports = [HoldfastModule.forRoot(first), HoldfastModule.forRoot(second)];
    await expect(startApplication(db, { imports })).rejects.toMatchObject({
      code: InvalidOptionsError.code,
      message: expect.stringMatching(`imported twice .* different values of ${key}.*Import it once`),
    });
  });

  test.each<[string, HoldfastModuleOptions[]]>([
    ['given twice', [{ shutdownTimeoutMs: 50 }, { shutdownTimeoutMs: 50 }]],
    ['given by the first', [{ shutdownTimeoutMs: 50 }, {}]],
    ['given by the second', [{}, { shutdownTimeoutMs: 50 }]],
  ])('a value %s is the one that is used', async (_, options) => {
    const imports = [{ logger }, ...options].map((each) => HoldfastModule.forRoot(each));
    const app = await startApplication(db, { imports: [...typeormImports(db), ...imports] });
    let inside = (): void => undefined;
    const running = new Promise<void>((resolve) => (inside = resolve));
    const call = runInTransaction(() => new Promise<never>(inside));
    await Promise.all([
      expect(call).rejects.toThrow('still ran 50 ms after the shutdown'),
      running.then(() => app.close()),
    ]);
  });
});

test('the logger of the options is the one that is used', async () => {
  const logger = new RecordingLogger();
  await startApplication(db, { imports: [HoldfastModule.forRoot({ logger })] });

  expect(logger.lines).not.toEqual([]);
});

test('without a DataSource the application starts, and a warning says what to do', async () => {
  const logger = new RecordingLogger();
  const app = await startApplication(db, {
    imports: [HoldfastModule.forRoot({ logger })],
    providers: [EntryService, { provide: getRepositoryToken(Entry), useValue: {} }],
  });

  expect(logger.lines).toEqual([
    {
      level: 'warn',
      fields: {},
      message: expect.stringMatching(
        /found no initialised TypeORM DataSource.*Import TypeOrmModule\.forRoot\(\)/,
      ),
    },
  ]);
  await expect(app.get(EntryService).add('nowhere')).rejects.toThrow(UnknownDataSourceError);
});

describe('options that are wrong throw InvalidOptionsError, which names them:', () => {
  const wrong: [raw: unknown, message: RegExp][] = [
    [{ shutdownTimeout: 5 }, /no option "shutdownTimeout"; did you mean "shutdownTimeoutMs"\?/],
    [{ shutdownTimeoutMs: '5s' }, /shutdownTimeoutMs must be a number of milliseconds above 0.*but is "5s"/],
    [{ shutdownTimeoutMs: 0 }, /shutdownTimeoutMs must be .* but is 0/],
    [{ acquireTimeoutMs: 0 }, /acquireTimeoutMs must be a number of milliseconds above 0.*but is 0/],
    [{ logger: console.log }, /logger must be a pino-shaped logger: { debug, info, warn, error }/],
    [{ logger: null }, /logger must be .* but is null/],
    ['fast', /HoldfastModule options must be an options object, but is "fast"/],
    [[], /HoldfastModule options must be an options object, but is an array/],
  ];

  test.each(wrong)('forRoot(%j), at once', (raw, message) => {
    expect(() => HoldfastModule.forRoot(raw as HoldfastModuleOptions)).toThrow(
      expect.objectContaining({ code: InvalidOptionsError.code, message: expect.stringMatching(message) }),
    );
  });

  test.each(wrong)('forRootAsync whose factory answers %j, at start', async (raw, message) => {
    const starting = startApplication(db, {
      imports: [HoldfastModule.forRootAsync({ useFactory: () => raw as HoldfastModuleOptions })],
    });

    await expect(starting).rejects.toMatchObject({
      code: InvalidOptionsError.code,
      message: expect.stringMatching(message),
    });
  });

  test.each([
    [undefined, /forRootAsync options\.useFactory must be a function, but is undefined/],
    [{ inject: [] }, /forRootAsync options\.useFactory must be a function, but is undefined/],
    [{ useFactory: () => ({}), useClass: Settings }, /forRootAsync options has no option "useClass"/],
    [{ useFactory: () => ({}), inject: Settings }, /forRootAsync options\.inject must be an array/],
  ])('forRootAsync(%p), at once', (raw, message) => {
    expect(() => HoldfastModule.forRootAsync(raw as never)).toThrow(
      expect.objectContaining({ code: InvalidOptionsError.code, message: expect.stringMatching(message) }),
    );
  });
});

import {
  type DynamicModule,
  Inject,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
  Scope,
} from '@nestjs/common';
import { ContextIdFactory, ModuleRef, REQUEST } from '@nestjs/core';
import { InjectDataSource, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource, Repository } from 'typeorm';
import { currentTransaction, Transactional } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { isManagedDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../harness/database.js';
import { Entry, labels, startApplication, typeormImports } from './application.js';

const db = useDatabase();
afterEach(() => db.truncate());

@Injectable()
class EntryService {
  constructor(@InjectRepository(Entry) private readonly entries: Repository<Entry>) {}

  @Transactional()
  async twoOf(label: string): Promise<string | undefined> {
    await this.entries.save({ label });
    await this.entries.save({ label });
    return currentTransaction()?.name;
  }

  @Transactional()
  async addThenFail(label: string): Promise<void> {
    await this.entries.save({ label });
    throw new Error('too late');
  }
}

@Module({ imports: [TypeOrmModule.forFeature([Entry])], providers: [EntryService], exports: [EntryService] })
class EntryModule {}

@Injectable()
class Seed implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  constructor(private readonly entries: EntryService) {}

  async onModuleInit(): Promise<void> {
    await this.entries.addThenFail('in onModuleInit').catch(() => undefined);
    await this.entries.twoOf('seed');
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.entries.twoOf('bootstrap');
  }

  async onModuleDestroy(): Promise<void> {
    await this.entries.addThenFail('in onModuleDestroy').catch(() => undefined);
    await this.entries.twoOf('goodbye');
  }
}

/** Nest initialises the modules that are farthest from the root first: this one is before or after HoldfastModule. */
@Module({})
class SeedModule {
  static at(depth: number): DynamicModule {
    if (depth === 0) return { module: SeedModule, imports: [EntryModule], providers: [Seed] };
    return { module: class Around {}, imports: [SeedModule.at(depth - 1)] };
  }
}

describe.each([
  { depth: 0, order: 'holdfast first' },
  { depth: 0, order: 'holdfast last' },
  { depth: 3, order: 'holdfast first' },
  { depth: 3, order: 'holdfast last' },
])('a service in a module at depth $depth, $order', ({ depth, order }) => {
  test('has transactions in onModuleInit, onApplicationBootstrap and onModuleDestroy', async () => {
    const seed = SeedModule.at(depth);
    const app = await startApplication(db, {
      imports: [
        ...typeormImports(db),
        ...(order === 'holdfast first' ? [HoldfastModule.forRoot(), seed] : [seed, HoldfastModule.forRoot()]),
      ],
    });
    await app.close();

    expect(await labels(db)).toEqual(['seed', 'seed', 'bootstrap', 'bootstrap', 'goodbye', 'goodbye']);
  });
});

/** Transactional as a whole; its constructor runs before anything is managed. */
@Injectable()
@Transactional()
class Labels {
  readonly prefix: string;

  constructor(@InjectRepository(Entry) private readonly entries: Repository<Entry>) {
    this.prefix = this.normalize(' Tagged ');
  }

  normalize(label: string): string {
    return label.trim().toLowerCase();
  }

  async add(label: string): Promise<string | undefined> {
    await this.entries.save({ label: `${this.prefix} ${this.normalize(label)}` });
    return currentTransaction()?.name;
  }
}

test.each([
  ['before', (others: unknown[]) => [HoldfastModule.forRoot(), ...others]],
  ['behind', (others: unknown[]) => [...others, HoldfastModule.forRoot()]],
] as const)(
  'a constructor may call a synchronous method of its decorated class, with HoldfastModule %s the others',
  async (_, order) => {
    const app = await startApplication(db, {
      imports: order([...typeormImports(db), TypeOrmModule.forFeature([Entry])]) as DynamicModule[],
      providers: [Labels],
    });
    expect(await app.get(Labels).add(' PEN ')).toBe('Labels.add');
    expect(await labels(db)).toEqual(['tagged pen']);
  },
);

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  constructor(
    @Inject(REQUEST) private readonly request: { readonly user: string },
    @InjectRepository(Entry) private readonly entries: Repository<Entry>,
    private readonly service: EntryService,
  ) {}

  @Transactional()
  async addThen(end: 'fail' | 'return'): Promise<void> {
    await this.entries.save({ label: `${this.request.user}'s own` });
    await this.service.twoOf(`${this.request.user}'s by a singleton`);
    if (end === 'fail') throw new Error('too late');
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  constructor(@InjectRepository(Entry) private readonly entries: Repository<Entry>) {}

  @Transactional()
  async addThenFail(label: string): Promise<void> {
    await this.entries.save({ label });
    throw new Error('too late');
  }
}

test('a data source is managed once HoldfastModule is initialised, whether or not anything began a transaction', async () => {
  const seen: boolean[] = [];
  @Injectable()
  class Later implements OnModuleInit {
    constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

    onModuleInit(): void {
      seen.push(isManagedDataSource(this.dataSource));
    }
  }
  await startApplication(db, {
    imports: [HoldfastModule.forRoot(), ...typeormImports(db)],
    providers: [Later],
  });
  expect(seen).toEqual([true]);
});

describe('providers that are not singletons', () => {
  const start = async (): Promise<ModuleRef> => {
    const app = await startApplication(db, {
      imports: [HoldfastModule.forRoot(), ...typeormImports(db), EntryModule],
      providers: [PerRequest, Transient],
    });
    return app.get(ModuleRef);
  };
  const forUser = async (modules: ModuleRef, user: string): Promise<PerRequest> => {
    const id = ContextIdFactory.create();
    modules.registerRequestByContextId({ user }, id);
    return modules.resolve(PerRequest, id, { strict: false });
  };

  test('a request-scoped one and a singleton that it calls share a transaction', async () => {
    const ada = await forUser(await start(), 'ada');

    await expect(ada.addThen('fail')).rejects.toThrow('too late');
    expect(await labels(db)).toEqual([]);
    await ada.addThen('return');
    expect(await labels(db)).toEqual(["ada's own", "ada's by a singleton", "ada's by a singleton"]);
  });

  test('two requests at once have a transaction each', async () => {
    const modules = await start();
    const [ada, bob] = [await forUser(modules, 'ada'), await forUser(modules, 'bob')];

    const ends = await Promise.allSettled([ada.addThen('fail'), bob.addThen('return')]);

    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(await labels(db)).toEqual(["bob's own", "bob's by a singleton", "bob's by a singleton"]);
  });

  test('a transient one', async () => {
    const transient = await (await start()).resolve(Transient, undefined, { strict: false });

    await expect(transient.addThenFail('lost')).rejects.toThrow('too late');
    expect(await labels(db)).toEqual([]);
  });
});

import type { AddressInfo } from 'node:net';
import { Controller, Get, type INestApplicationContext, Injectable, Param, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectDataSource, TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { afterCommit, runInTransaction, Transactional, UnknownDataSourceError } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { rollbackPerTest } from 'holdfast/testing';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { closeAtEnd, Entry, labels, startApplication, typeorm } from './application.js';

const postgres = useDatabase();
const mysql = useMysqlDatabase();
beforeEach(() => Promise.all([postgres.truncate(), mysql.query('DELETE FROM entry')]));

const onMysql = (type: 'mysql' | 'mariadb' = 'mysql'): TypeOrmModuleOptions =>
  typeorm(postgres, { type, url: mysql.url } as TypeOrmModuleOptions);
const mysqlLabels = async (): Promise<string[]> =>
  (await mysql.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);
const undone = new Error('undone');

@Injectable()
class Notes {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  @Transactional()
  async write(label: string, then: () => unknown = () => undefined): Promise<void> {
    await this.dataSource.getRepository(Entry).save({ label });
    await then();
  }

  @Transactional({ propagation: 'NESTED' })
  async writeNested(label: string): Promise<never> {
    await this.dataSource.getRepository(Entry).insert({ label });
    throw undone;
  }
}

test('acquireTimeoutMs ends the wait for a connection of a pool that has lent all', async () => {
  const app = await startApplication(postgres, {
    imports: [
      HoldfastModule.forRoot({ acquireTimeoutMs: 100 }),
      TypeOrmModule.forRoot({ ...onMysql(), poolSize: 1 } as TypeOrmModuleOptions),
    ],
    providers: [Notes],
  });
  const runner = app.get(DataSource).createQueryRunner();
  await runner.connect();
  await expect(app.get(Notes).write('late')).rejects.toMatchObject({
    code: 'ACQUIRE_TIMEOUT',
    message: expect.stringContaining('it waited 100 ms'),
  });
  await runner.release();
  await app.get(Notes).write('served');
  expect(await mysqlLabels()).toEqual(['served']);
});

describe.each(['mysql', 'mariadb'] as const)('one data source of type %s', (type) => {
  let app: INestApplicationContext;
  let notes: Notes;
  beforeEach(async () => {
    app = await startApplication(postgres, {
      imports: [HoldfastModule.forRoot(), TypeOrmModule.forRoot(onMysql(type))],
      providers: [Notes],
    });
    notes = app.get(Notes);
  });

  test('is found: a method commits, and rolls back', async () => {
    const told: string[] = [];
    await notes.write('kept', () => afterCommit(() => told.push('committed')));
    await expect(notes.write('undone', () => Promise.reject(undone))).rejects.toBe(undone);
    await notes.write('also kept', () => expect(notes.writeNested('undone')).rejects.toBe(undone));

    expect(await mysqlLabels()).toEqual(['kept', 'also kept']);
    expect(told).toEqual(['committed']);
  });

  test('is let go when the application is closed, which waits for what runs', async () => {
    let closing: Promise<void> | undefined;
    await notes.write('kept', async () => {
      closing = app.close();
      await app.get(DataSource).getRepository(Entry).save({ label: 'kept as well' });
    });
    await closing;

    expect(await mysqlLabels()).toEqual(['kept', 'kept as well']);
    await expect(runInTransaction(async () => {})).rejects.toThrow(UnknownDataSourceError);
  });
});

@Injectable()
class TwoDatabases {
  constructor(
    @InjectDataSource() private readonly main: DataSource,
    @InjectDataSource('audit') private readonly audit: DataSource,
  ) {}

  @Transactional()
  inMain(label: string): Promise<never> {
    return this.fail(label);
  }

  @Transactional({ dataSource: 'audit' })
  inAudit(label: string): Promise<never> {
    return this.fail(label);
  }

  @Transactional({ dataSource: ['default', 'audit'] })
  async inBoth(label: string): Promise<void> {
    await this.write(label);
    if (label === 'undone') throw undone;
  }

  private async write(label: string): Promise<void> {
    await this.main.getRepository(Entry).save({ label });
    await this.audit.getRepository(Entry).save({ label });
  }

  private async fail(label: string): Promise<never> {
    await this.write(label);
    throw undone;
  }

  async list(): Promise<string[][]> {
    const find = async (dataSource: DataSource): Promise<string[]> =>
      (await dataSource.getRepository(Entry).find({ order: { id: 'ASC' } })).map(({ label }) => label);
    return [await find(this.main), await find(this.audit)];
  }
}

@Controller('both')
class TwoController {
  constructor(private readonly both: TwoDatabases) {}

  @Post(':label')
  async create(@Param('label') label: string): Promise<void> {
    await this.both.inBoth(label);
  }

  @Get()
  list(): Promise<string[][]> {
    return this.both.list();
  }
}

const pairs = [
  {
    pair: 'MySQL and PostgreSQL',
    imports: () => [
      TypeOrmModule.forRoot(onMysql()),
      TypeOrmModule.forRoot({ ...typeorm(postgres), name: 'audit' }),
    ],
    committed: async () => [await mysqlLabels(), await labels(postgres)],
  },
  {
    pair: 'PostgreSQL and MySQL',
    imports: () => [
      TypeOrmModule.forRoot(typeorm(postgres)),
      TypeOrmModule.forRoot({ ...onMysql(), name: 'audit' }),
    ],
    committed: async () => [await labels(postgres), await mysqlLabels()],
  },
];

describe.each(pairs)('two data sources, $pair', ({ imports, committed }) => {
  const metadata = () => ({
    imports: [HoldfastModule.forRoot(), ...imports()],
    controllers: [TwoController],
    providers: [TwoDatabases],
  });

  test('each has transactions of its own, and one method can have both', async () => {
    const both = (await startApplication(postgres, metadata())).get(TwoDatabases);
    await expect(both.inMain('a')).rejects.toBe(undone);
    await expect(both.inAudit('b')).rejects.toBe(undone);
    await expect(both.inBoth('undone')).rejects.toBe(undone);
    await both.inBoth('c');

    expect(await committed()).toEqual([
      ['b', 'c'],
      ['a', 'c'],
    ]);
  });

  describe('under rollbackPerTest()', () => {
    rollbackPerTest();

    test.each(['a request', 'the request of the next test'])('%s over both is rolled back', async () => {
      const module = await Test.createTestingModule(metadata()).compile();
      const app = closeAtEnd(postgres, module.createNestApplication({ logger: false }));
      await app.listen(0, '127.0.0.1');
      const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/both`;
      const request = (path: string, method: 'POST' | 'GET'): Promise<Response> =>
        fetch(`${url}/${path}`, { method, headers: { connection: 'close' } });

      expect((await request('kept', 'POST')).status).toBe(201);
      expect((await request('undone', 'POST')).status).toBe(500);
      expect(await (await request('', 'GET')).json()).toEqual([['kept'], ['kept']]);
      expect(await committed()).toEqual([[], []]);
    });
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import Database from 'better-sqlite3';
import { DataSource, type Repository } from 'typeorm';
import { afterCommit, currentTransaction, setLogger, Transactional, unmanagePool } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { manageSqliteAdapter, prismaSource } from 'holdfast/prisma';
import { isManagedDataSource } from 'holdfast/typeorm';
import { useBetterSqlite3 } from '../harness/better-sqlite3.js';
import { PrismaClient } from '../sqlite/prisma/generated/client.js';
import { Entry, RecordingLogger } from './application.js';

let folder: string;
useBetterSqlite3();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-nest-sqlite-'));
});
afterEach(() => setLogger(undefined));
afterAll(() => rmSync(folder, { recursive: true }));

@Injectable()
class Entries {
  readonly told: string[] = [];

  constructor(
    @InjectRepository(Entry) private readonly entries: Repository<Entry>,
    private readonly dataSource: DataSource,
  ) {}

  @Transactional()
  async add(label: string): Promise<void> {
    await this.entries.save({ label });
    await this.dataSource.query('INSERT INTO entry (label) VALUES (?)', [`${label} too`]);
    afterCommit(() => this.told.push(label));
  }

  @Transactional()
  async addAndFail(): Promise<void> {
    await this.add('lost');
    throw new Error('rolled back');
  }

  async labels(): Promise<string[]> {
    return (await this.entries.find({ order: { id: 'ASC' } })).map(({ label }) => label);
  }
}

describe.each(['better-sqlite3', 'sqljs'] as const)('an application with TypeORM on %s', (type) => {
  test('its transactional methods commit, roll back and take turns; its shutdown ends them', async () => {
    const logger = new RecordingLogger();
    const options = { type, database: type === 'sqljs' ? undefined : join(folder, 'typeorm.db') };
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...options, entities: [Entry], synchronize: true } as TypeOrmModuleOptions),
        TypeOrmModule.forFeature([Entry]),
        HoldfastModule.forRoot({ logger }),
      ],
      providers: [Entries],
    }).compile();
    const app = await module.init();
    const entries = app.get(Entries);
    expect(isManagedDataSource(app.get(DataSource))).toBe(true);

    await expect(entries.addAndFail()).rejects.toThrow('rolled back');
    await Promise.all([entries.add('a'), entries.add('b')]);
    expect(await entries.labels()).toEqual(['a', 'a too', 'b', 'b too']);
    expect(entries.told).toEqual(['a', 'b']);

    await app.close();
    expect(app.get(DataSource).isInitialized).toBe(false);
    expect(logger.lines).toEqual([]);
  });
});

@Injectable()
class PrismaService extends PrismaClient implements OnModuleDestroy {
  constructor() {
    super({ adapter: manageSqliteAdapter(new PrismaBetterSqlite3({ url: join(folder, 'prisma.db') })) });
  }

  async onModuleDestroy(): Promise<void> {
    await this.$disconnect();
  }

  @Transactional()
  async add(label: string, end: 'fail' | 'return'): Promise<string | undefined> {
    await this.entry.create({ data: { label } });
    if (end === 'fail') throw new Error('rolled back');
    return currentTransaction()?.name;
  }
}

test('an application with Prisma on better-sqlite3, and without TypeORM', async () => {
  const tables = new Database(join(folder, 'prisma.db'));
  tables.exec('CREATE TABLE entry (id integer PRIMARY KEY AUTOINCREMENT, label text NOT NULL)');
  tables.close();
  const module = await Test.createTestingModule({
    imports: [HoldfastModule.forRoot()],
    providers: [PrismaService],
  }).compile();
  const app = await module.init();
  const prisma = app.get(PrismaService);
  const { primary } = prismaSource(prisma)!;

  await expect(prisma.add('lost', 'fail')).rejects.toThrow('rolled back');
  expect(await prisma.add('kept', 'return')).toBe('PrismaService.add');
  expect(await prisma.entry.findMany()).toMatchObject([{ label: 'kept' }]);

  await app.close();
  unmanagePool(primary);
});

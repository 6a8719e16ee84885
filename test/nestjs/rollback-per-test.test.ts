import type { AddressInfo } from 'node:net';
import { Body, Controller, Get, type INestApplication, Injectable, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository } from '@nestjs/typeorm';
import { PrismaPg } from '@prisma/adapter-pg';
import { afterCommit, Transactional } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import { rollbackPerTest } from 'holdfast/testing';
import { manageDataSource } from 'holdfast/typeorm';
import type { Pool } from 'pg';
import { DataSource, type Repository } from 'typeorm';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from '../prisma/generated/client.js';
import { Entry, labels, typeormImports } from './application.js';

const db = useDatabase();
const mails: string[] = [];

@Injectable()
class PrismaService extends PrismaClient {
  constructor(dataSource: DataSource) {
    super({ adapter: new PrismaPg(manageDataSource(dataSource).primary.native as Pool) });
  }
}

@Injectable()
class TransferService {
  constructor(
    @InjectRepository(Entry) private readonly entries: Repository<Entry>,
    private readonly prisma: PrismaService,
  ) {}

  @Transactional()
  async transfer(name: string): Promise<void> {
    await this.entries.save({ label: `${name} by TypeORM` });
    await this.prisma.entry.create({ data: { label: `${name} by Prisma` } });
    afterCommit(() => mails.push(name));
    if (name === 'rain') throw new Error('cannot be sold');
  }

  async list(): Promise<string[]> {
    return (await this.entries.find({ order: { id: 'ASC' } })).map(({ label }) => label);
  }
}

@Controller('transfers')
class TransferController {
  constructor(private readonly transfers: TransferService) {}

  @Post()
  async create(@Body() { name }: { name: string }): Promise<object> {
    await this.transfers.transfer(name);
    return { name };
  }

  @Get()
  async list(): Promise<string[]> {
    return this.transfers.list();
  }
}

async function start(): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [...typeormImports(db, { poolSize: 2 } as object), HoldfastModule.forRoot()],
    controllers: [TransferController],
    providers: [PrismaService, TransferService],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  return app;
}

/** As supertest does it: over the network, into an async context that is the server's own. */
class Http {
  readonly #url: string;

  constructor(app: INestApplication) {
    this.#url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/transfers`;
  }

  async post(name: string): Promise<number> {
    const body = JSON.stringify({ name });
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const response = await fetch(this.#url, { method: 'POST', headers, body });
    await response.text();
    return response.status;
  }

  async get(): Promise<string[]> {
    return (await (await fetch(this.#url, { headers: { connection: 'close' } })).json()) as string[];
  }
}

describe.each([
  { when: 'once for all tests', before: beforeAll, after: afterAll },
  { when: 'for each test', before: beforeEach, after: afterEach },
])('a Nest application that is started $when', ({ before, after }) => {
  rollbackPerTest();
  let app: INestApplication;
  let http: Http;
  before(async () => {
    app = await start();
    http = new Http(app);
  });
  after(() => app.close());
  beforeEach(() => {
    mails.length = 0;
  });

  test.each(['a request', 'the request of the next test'])('%s is rolled back', async () => {
    expect(await http.post('pen')).toBe(201);

    expect(await http.get()).toEqual(['pen by TypeORM', 'pen by Prisma']);
    expect(await app.get(TransferService).list()).toEqual(['pen by TypeORM', 'pen by Prisma']);
    expect(mails).toEqual(['pen']);
    expect(await labels(db)).toEqual([]);
  });

  test('a request that fails leaves the work of others', async () => {
    await app.get(TransferService).transfer('pen');

    expect(await http.post('rain')).toBe(500);
    expect(await http.get()).toEqual(['pen by TypeORM', 'pen by Prisma']);
    expect(mails).toEqual(['pen']);
  });

  test('requests at once keep their promises', async () => {
    const names = ['pen', 'rain', 'ink', 'rain', 'paper'];
    const statuses = await Promise.all(names.map((name) => http.post(name)));

    expect(statuses).toEqual([201, 500, 201, 500, 201]);
    const list = await http.get();
    expect([...list].sort()).toEqual(
      ['ink', 'paper', 'pen'].flatMap((name) => [`${name} by Prisma`, `${name} by TypeORM`]),
    );
    // Whoever has the turn has it to the end: the two rows of each stand together.
    expect(list.map((label) => label.split(' ')[0])).toEqual(
      list.map((_, index) => list[index - (index % 2)]!.split(' ')[0]),
    );
    expect([...mails].sort()).toEqual(['ink', 'paper', 'pen']);
  });

  test('the application can be closed inside a test', async () => {
    expect(await http.post('pen')).toBe(201);
    await app.close();
    app = await start();
    http = new Http(app);

    expect(await http.get()).toEqual(['pen by TypeORM', 'pen by Prisma']);
    expect(await labels(db)).toEqual([]);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { InvalidOptionsError, managePool, unmanagePool } from 'holdfast';
import { managePrisma, prismaSource, UnsupportedPrismaClientError } from 'holdfast/prisma';
import { Pool } from 'pg';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from './generated/client.js';
import { startPrismaApp } from './prisma-app.js';

const db = useDatabase();
const { peerDependencies } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as {
  peerDependencies: Record<string, string>;
};

function refusal(client: PrismaClient): string {
  try {
    managePrisma(client);
  } catch (error) {
    if (error instanceof UnsupportedPrismaClientError) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('managePrisma refuses', () => {
  test('a client on a pool of its own, and says which line to change', () => {
    const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: db.url }) });
    expect(refusal(client)).toMatch(
      /a pool of its own\. Give its adapter the managed pool: new PrismaPg\(pool\)/,
    );
  });

  test('a pool from a second copy of pg, which the adapter silently takes for options', () => {
    const secondCopy: { Pool: typeof Pool } = jest.requireActual('pg');
    let other = secondCopy;
    jest.isolateModules(() => (other = jest.requireActual('pg')));
    const pool = db.track(new other.Pool({ connectionString: db.url }));
    expect(pool).not.toBeInstanceOf(Pool);
    const managed = managePool(pool);
    db.defer(() => unmanagePool(managed));
    expect(refusal(new PrismaClient({ adapter: new PrismaPg(pool) }))).toMatch(
      /second copy of pg.*npm ls pg/s,
    );
  });

  test('a client on another adapter, naming it', () => {
    const other = { _engineConfig: { adapter: { adapterName: '@prisma/adapter-neon' } } };
    expect(refusal(other as unknown as PrismaClient)).toMatch(
      /the adapter @prisma\/adapter-neon\. holdfast supports/,
    );
  });

  test('an unmanaged pool', () => {
    const client = new PrismaClient({ adapter: new PrismaPg(db.pool()) });
    expect(refusal(client)).toMatch(/is not managed\. Call managePool\(pool\) before managePrisma\(prisma\)/);
  });

  test('a client whose inside is not the known one, naming its version', () => {
    const pool = db.pool();
    const managed = managePool(pool);
    db.defer(() => unmanagePool(managed));
    const future = { _clientVersion: '7.99.0', _engineConfig: { adapter: { externalPool: pool } } };
    expect(refusal(future as unknown as PrismaClient)).toMatch(/version 7\.99\.0.*supports Prisma 7/s);
  });

  test.each(['6.19.0', '8.0.0', '70.1.0', undefined])(
    'a client of version %s, whatever its inside, naming it and the line to change',
    (version) => {
      const { prisma, pool } = startPrismaApp(db);
      const other = new PrismaClient({ adapter: new PrismaPg(pool) });
      db.defer(() => other.$disconnect());
      Object.assign(other, { _clientVersion: version });
      expect(refusal(other)).toMatch(
        new RegExp(`version ${version ?? 'unknown'}, .*npm install prisma@7 @prisma/client@7`),
      );
      expect(prismaSource(other)).toBeUndefined();
      expect(prismaSource(prisma)).toBeDefined();
    },
  );

  test('a client of each older version that may be installed beside it, for the sake of migrations', () => {
    const ranges = peerDependencies['@prisma/client']!.split(' || ');
    expect(ranges).toEqual(['^5.0.0', '^6.0.0', '^7.0.0']);
    for (const version of ranges.slice(0, -1).map((range) => range.slice(1))) {
      const client = { _clientVersion: version, _engineConfig: {} } as unknown as PrismaClient;
      expect(refusal(client)).toMatch(
        new RegExp(`version ${version}, .*npm install prisma@7 @prisma/client@7`),
      );
    }
  });

  test('a client without a driver adapter, as Prisma 6 makes it', () => {
    const old = { _clientVersion: '6.19.0', _engineConfig: {} };
    expect(refusal(old as unknown as PrismaClient)).toMatch(
      /version 6\.19\.0, .*Prisma 7.*new PrismaPg\(pool\)/s,
    );
    const accelerated = { _clientVersion: '7.10.0', _engineConfig: {} };
    expect(refusal(accelerated as unknown as PrismaClient)).toMatch(
      /without a driver adapter.*new PrismaPg\(pool\)/s,
    );
  });

  test.each([
    ['managed', true],
    ['not managed', false],
  ])('the client of an interactive transaction, its own client being %s', async (_, isManaged) => {
    const { prisma, pool } = startPrismaApp(db);
    const own = new PrismaClient({ adapter: new PrismaPg(pool) });
    db.defer(() => own.$disconnect());
    for (const client of [own, own.$extends({}) as unknown as PrismaClient]) {
      const messages = await (isManaged ? prisma : client).$transaction(async (tx) => [
        refusal(tx as unknown as PrismaClient),
      ]);
      expect(messages).toEqual([
        expect.stringMatching(/interactive transaction\. Pass the PrismaClient itself/),
      ]);
    }
    expect(prismaSource(own)).toBeUndefined();
  });

  test.each([undefined, null, 'prisma', 7])('%p, which is no client', (value) => {
    for (const call of [managePrisma, prismaSource]) {
      expect(() => call(value as never)).toThrow(InvalidOptionsError);
      expect(() => call(value as never)).toThrow(/\(client\) must be a PrismaClient, but is/);
    }
  });
});

test('managePrisma twice is the same as once, and answers the client it was given', async () => {
  const { prisma } = startPrismaApp(db);
  const { $transaction } = prisma;
  expect(managePrisma(prisma)).toBe(prisma);
  expect(prisma.$transaction).toBe($transaction);
});

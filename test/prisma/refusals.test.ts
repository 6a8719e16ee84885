import { PrismaPg } from '@prisma/adapter-pg';
import { managePool, unmanagePool } from 'holdfast';
import { managePrisma, UnsupportedPrismaClientError } from 'holdfast/prisma';
import { Pool } from 'pg';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from './generated/client.js';
import { startPrismaApp } from './prisma-app.js';

const db = useDatabase();

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
    const future = { _clientVersion: '99.0.0', _engineConfig: { adapter: { externalPool: pool } } };
    expect(refusal(future as unknown as PrismaClient)).toMatch(/version 99\.0\.0.*supports Prisma 7/s);
  });

  test('a client without a driver adapter, as Prisma 6 makes it', () => {
    const old = { _clientVersion: '6.19.0', _engineConfig: {} };
    expect(refusal(old as unknown as PrismaClient)).toMatch(
      /version 6\.19\.0.*without a driver adapter.*Prisma 7/s,
    );
  });
});

test('managePrisma twice is the same as once, and answers the client it was given', async () => {
  const { prisma } = startPrismaApp(db);
  const { $transaction } = prisma;
  expect(managePrisma(prisma)).toBe(prisma);
  expect(prisma.$transaction).toBe($transaction);
});

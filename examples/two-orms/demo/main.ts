import 'reflect-metadata';
import { deepEqual } from 'node:assert/strict';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { withDatabase } from '../../with-database.js';
import { Account } from '../src/account.entity.js';
import { AppModule } from '../src/app.module.js';
import { PrismaService } from '../src/prisma.service.js';
import { TransferService } from '../src/transfer.service.js';

const tables = `
  CREATE TABLE account (owner text PRIMARY KEY, balance integer NOT NULL CHECK (balance >= 0));
  CREATE TABLE transfer (id serial PRIMARY KEY, "from" text NOT NULL, "to" text NOT NULL, amount integer NOT NULL);
  INSERT INTO account VALUES ('ada', 100), ('bob', 0);
`;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Plays the service on a PostgreSQL of its own. Answers the exit code. */
export function run(): Promise<number> {
  return withDatabase(tables, async (url) => {
    const app = await NestFactory.createApplicationContext(AppModule.on(url), { logger: ['error', 'fatal'] });
    try {
      await play(app.get(TransferService), app.get(PrismaService), app.get(DataSource));
    } finally {
      await app.close();
    }
  });
}

async function play(service: TransferService, prisma: PrismaService, dataSource: DataSource): Promise<void> {
  const expectState = async (story: string, expected: object): Promise<void> => {
    const accounts = await dataSource.getRepository(Account).find({ order: { owner: 'ASC' } });
    const balances = Object.fromEntries(accounts.map(({ owner, balance }) => [owner, balance]));
    const state = { transfers: await prisma.transfer.count(), ...balances };
    say(`${story}\n   ${JSON.stringify(state)}`);
    deepEqual(state, expected);
  };

  await service.transfer('ada', 'bob', 30);
  await expectState('1  a transfer: a row by Prisma, two balances by TypeORM', {
    transfers: 1,
    ada: 70,
    bob: 30,
  });

  const overdrawn = await service.transfer('ada', 'bob', 500).catch((error: { code: string }) => error.code);
  deepEqual(overdrawn, '23514');
  await expectState("2  too much: TypeORM's statement fails, and Prisma's row is gone", {
    transfers: 1,
    ada: 70,
    bob: 30,
  });

  await service.transfer('ada', 'eve', 10).catch(() => undefined);
  await expectState('3  to nobody: the method throws, and both are undone', {
    transfers: 1,
    ada: 70,
    bob: 30,
  });

  await Promise.all(Array.from({ length: 10 }, () => service.transfer('ada', 'bob', 2)));
  await expectState('4  ten at once: each on a connection of its own, shared by both ORMs', {
    transfers: 11,
    ada: 50,
    bob: 50,
  });
  say('4 acts, every promise kept.');
}

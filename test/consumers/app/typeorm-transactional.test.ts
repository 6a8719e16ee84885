import 'reflect-metadata';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import type * as DropIn from 'holdfast/typeorm-transactional';
import {
  addTransactionalDataSource,
  initializeTransactionalContext,
  Propagation,
  runInTransaction,
  runOnTransactionCommit,
  runOnTransactionRollback,
  StorageDriver,
  Transactional,
  TransactionalError,
} from 'holdfast/typeorm-transactional';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { onServer, serverUrl } from './application.js';

@Entity()
class Post {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') message!: string;
}

@Injectable()
class Posts {
  readonly heard: string[] = [];

  constructor(@InjectRepository(Post) readonly repository: Repository<Post>) {}

  @Transactional()
  async create(message: string, fail = false): Promise<Post> {
    runOnTransactionCommit(() => this.heard.push('commit'));
    runOnTransactionRollback((error) => this.heard.push(error.message));
    const post = await this.repository.save({ message });
    if (fail) throw new Error('no');
    return post;
  }

  @Transactional({ propagation: Propagation.MANDATORY })
  async count(): Promise<number> {
    return this.repository.count();
  }
}

const name = `drop_in_${randomBytes(4).toString('hex')}`;
const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      useFactory: () => ({ type: 'postgres', url, entities: [Post], synchronize: true }),
      async dataSourceFactory(options) {
        if (!options) throw new Error('no options');
        return addTransactionalDataSource(new DataSource(options));
      },
    }),
    TypeOrmModule.forFeature([Post]),
  ],
  providers: [Posts],
})
class AppModule {}

let app: INestApplicationContext;
let posts: Posts;

before(async () => {
  await onServer(`CREATE DATABASE ${name}`);
  initializeTransactionalContext({ storageDriver: StorageDriver.AUTO });
  app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'fatal'] });
  posts = app.get(Posts);
});

beforeEach(async () => {
  await posts.repository.clear();
  posts.heard.length = 0;
});

after(async () => {
  await app.close();
  await onServer(`DROP DATABASE ${name}`);
});

void test('an application of typeorm-transactional runs with its import changed', async () => {
  const { id } = await posts.create('kept');
  await assert.rejects(posts.create('dropped', true), /no/);

  assert.ok(id > 0);
  assert.deepEqual(posts.heard, ['commit', 'no']);
  assert.deepEqual(
    (await posts.repository.find()).map(({ message }) => message),
    ['kept'],
  );
});

void test('a call that its propagation forbids rejects with TransactionalError', async () => {
  await assert.rejects(posts.count(), TransactionalError);
  assert.equal(await runInTransaction(() => posts.count()), 0);
});

void test('the copy that was loaded by require knows the data source and the transaction', async () => {
  const requireDoor = createRequire(join(process.cwd(), 'package.json'));
  const required = requireDoor('holdfast/typeorm-transactional') as typeof DropIn;
  const failing = required.runInTransaction(async () => {
    await posts.create('dropped');
    assert.equal(await posts.count(), 1);
    throw new Error('outer');
  });

  await assert.rejects(failing, /outer/);
  assert.deepEqual(posts.heard, ['outer']);
  await assert.rejects(posts.count(), required.TransactionalError);
});

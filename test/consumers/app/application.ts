import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach } from 'node:test';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectEntityManager, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Transactional } from 'holdfast';
import { HoldfastModule } from 'holdfast/nestjs';
import pg from 'pg';
import {
  BaseEntity,
  Column,
  DataSource,
  Entity,
  EntityManager,
  type EntitySubscriberInterface,
  EventSubscriber,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  Repository,
} from 'typeorm';

export const serverUrl = process.env['HOLDFAST_TEST_PG_URL'] ?? '';

@Entity()
export class Topic extends BaseEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') name!: string;
  @OneToMany(() => Entry, (entry) => entry.topic) entries!: Promise<Entry[]>;
}

@Entity()
export class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
  @ManyToOne(() => Topic, (topic) => topic.entries, { nullable: true }) topic?: Promise<Topic | null>;
}

/** The events of TypeORM's transactions, in order. */
export const events: string[] = [];

@EventSubscriber()
export class Listening implements EntitySubscriberInterface {
  beforeTransactionStart = (): void => void events.push('before start');
  afterTransactionStart = (): void => void events.push('after start');
  beforeTransactionCommit = (): void => void events.push('before commit');
  afterTransactionCommit = (): void => void events.push('after commit');
  beforeTransactionRollback = (): void => void events.push('before rollback');
  afterTransactionRollback = (): void => void events.push('after rollback');
}

@Injectable()
export class EntryService {
  constructor(
    @InjectRepository(Entry) readonly entries: Repository<Entry>,
    @InjectEntityManager() readonly manager: EntityManager,
    readonly dataSource: DataSource,
  ) {}

  /** One transaction for whatever `work` does. */
  @Transactional()
  async inTransaction<T>(work: (service: this) => Promise<T>): Promise<T> {
    return work(this);
  }

  @Transactional({ propagation: 'NESTED' })
  async nested(label: string, end: 'fail' | 'return'): Promise<void> {
    await this.entries.save({ label });
    if (end === 'fail') throw new Error(`${label} failed`);
  }

  get pool(): pg.Pool {
    return (this.dataSource.driver as unknown as { master: pg.Pool }).master;
  }
}

/** The application under test, on a database of its own for this test file. */
export class Application {
  service!: EntryService;
  private app!: INestApplicationContext;
  private outside!: pg.Client;

  /** `ready` is called once, before the first test. */
  constructor(ready?: (service: EntryService) => void) {
    const name = `consumer_${randomBytes(4).toString('hex')}`;
    before(async () => {
      await onServer(`CREATE DATABASE ${name}`);
      const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
      this.app = await NestFactory.createApplicationContext(moduleOn(url), { logger: ['error', 'fatal'] });
      this.service = this.app.get(EntryService);
      this.outside = new pg.Client(url);
      await this.outside.connect();
      ready?.(this.service);
    });
    beforeEach(async () => {
      await this.outside.query('TRUNCATE entry, topic RESTART IDENTITY');
      events.length = 0;
    });
    after(async () => {
      await this.outside.end();
      // Whatever this leaves open keeps the test file from ending.
      await this.app.close();
      await onServer(`DROP DATABASE ${name}`);
    });
  }

  /** What another session sees. */
  async committed(): Promise<string[]> {
    const { rows } = await this.outside.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
    return rows.map(({ label }) => label);
  }
}

function moduleOn(url: string): new () => object {
  @Module({
    imports: [
      TypeOrmModule.forRoot({
        type: 'postgres',
        url,
        entities: [Entry, Topic],
        subscribers: [Listening],
        synchronize: true,
      }),
      TypeOrmModule.forFeature([Entry, Topic]),
      HoldfastModule.forRoot(),
    ],
    providers: [EntryService],
  })
  class AppModule {}
  return AppModule;
}

/** Runs one statement on the server itself. */
export async function onServer(sql: string): Promise<void> {
  const client = new pg.Client(serverUrl);
  await client.connect();
  await client.query(sql);
  await client.end();
}

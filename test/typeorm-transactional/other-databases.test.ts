import 'reflect-metadata';
import * as api from 'holdfast/typeorm-transactional';
import { Column, DataSource, type DataSourceOptions, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { useBetterSqlite3 } from '../harness/better-sqlite3.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const mysql = useMysqlDatabase([]);
const boom = new Error('boom');

@Entity()
class Note {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') text!: string;
}

let dataSource: DataSource;
async function start(options: DataSourceOptions): Promise<void> {
  dataSource = new DataSource({ ...options, entities: [Note], synchronize: true, dropSchema: true });
  api.addTransactionalDataSource({ name: 'notes', dataSource });
  await dataSource.initialize();
}

class Notes {
  @api.Transactional({ connectionName: 'notes' })
  async write(text: string, then: () => Promise<unknown>): Promise<void> {
    await dataSource.getRepository(Note).save({ text });
    await then();
  }

  @api.Transactional({ connectionName: 'notes', propagation: api.Propagation.NESTED })
  writeNested(text: string, then: () => Promise<unknown>): Promise<void> {
    return this.write(text, then);
  }
}

beforeAll(() => {
  api.initializeTransactionalContext();
});
afterEach(async () => {
  api.deleteDataSourceByName('notes');
  if (dataSource.isInitialized) await dataSource.destroy();
});

describe.each<{ type: string; options: () => DataSourceOptions }>([
  { type: 'mariadb', options: () => ({ type: 'mariadb', url: mysql.url }) },
  { type: 'mysql', options: () => ({ type: 'mysql', url: mysql.url }) },
  { type: 'sqljs', options: () => ({ type: 'sqljs' }) },
  {
    type: 'better-sqlite3',
    options: () => ({ type: 'better-sqlite3', database: ':memory:' }),
  },
])('a data source of type $type', ({ type, options }) => {
  if (type === 'better-sqlite3') useBetterSqlite3();
  const notes = new Notes();
  const nothing = (): Promise<void> => Promise.resolve();
  const texts = async (): Promise<string[]> =>
    (await dataSource.getRepository(Note).find({ order: { id: 'ASC' } })).map(({ text }) => text);
  beforeEach(async () => start(options()));

  test('a method that throws is undone, one that returns is kept', async () => {
    await expect(notes.write('undone', () => Promise.reject(boom))).rejects.toBe(boom);
    expect(await texts()).toEqual([]);
    await notes.write('kept', nothing);
    expect(await texts()).toEqual(['kept']);
  });

  test('NESTED is undone alone, and hooks run once the whole is committed', async () => {
    const heard: string[] = [];
    await notes.write('outer', async () => {
      api.runOnTransactionCommit(() => heard.push('commit'));
      await expect(notes.writeNested('undone', () => Promise.reject(boom))).rejects.toBe(boom);
      await notes.writeNested('nested', nothing);
      expect(heard).toEqual([]);
    });
    expect(await texts()).toEqual(['outer', 'nested']);
    expect(heard).toEqual(['commit']);
  });
});

test('a data source of a type that is not managed: initialize() rejects', async () => {
  dataSource = new DataSource({ type: 'sqljs' });
  Object.assign(dataSource, { options: { ...dataSource.options, type: 'expo' } });
  api.addTransactionalDataSource({ name: 'notes', dataSource });
  await expect(dataSource.initialize()).rejects.toMatchObject({ code: 'UNSUPPORTED_DRIVER' });
});

import { runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import type { PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import { labelsIn } from '../conformance/ways-in.js';
import { useDatabase } from '../harness/database.js';
import { labelsOf, sqliteTypes, useSqlite } from '../sqlite/sqlite-ways-in.js';
import { testHandWrittenSql } from './hand-written-sql.suite.js';

describe('postgres', () => {
  const db = useDatabase();
  let dataSource: DataSource;

  beforeEach(async () => {
    await db.truncate();
    dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 2 }).initialize();
    db.defer(() => dataSource.destroy());
    manageDataSource(dataSource);
  });

  testHandWrittenSql(() => ({
    get dataSource() {
      return dataSource;
    },
    labels: () => labelsIn(db),
    askClient: (client, sql) => (client as PoolClient).query(sql),
  }));

  test('QueryRunners that send ordinary statements share one client', async () => {
    const { primary } = manageDataSource(dataSource);
    const made = jest.spyOn(primary, 'transactionClient');
    await runInTransaction(async () => {
      await dataSource.query(' INSERT INTO entry (label) VALUES ($1)', ['a']);
      await dataSource.query('\n update entry SET label = $1', ['b']);
      await dataSource.query('WITH one AS (SELECT 1) SELECT * FROM one');
      await dataSource.query('DELETE FROM entry');
    });
    expect(made).toHaveBeenCalledTimes(1);
  });
});

describe.each(sqliteTypes)('%s', (type) => {
  const source = useSqlite(type);
  testHandWrittenSql(() => ({
    get dataSource() {
      return source.dataSource;
    },
    labels: () => labelsOf(source),
  }));
});

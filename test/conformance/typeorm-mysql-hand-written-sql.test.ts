import { manageDataSource } from 'holdfast/typeorm';
import type { Connection } from 'mysql2';
import { DataSource } from 'typeorm';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { testHandWrittenSql } from '../typeorm/hand-written-sql.suite.js';
import { mysqlLabelsIn } from './mysql-ways-in.js';

const db = useMysqlDatabase();
let dataSource: DataSource;

beforeEach(async () => {
  await db.truncate();
  dataSource = await new DataSource({ type: 'mysql', url: db.url, poolSize: 2 }).initialize();
  db.defer(() => dataSource.destroy());
  manageDataSource(dataSource);
});

testHandWrittenSql(() => ({
  get dataSource() {
    return dataSource;
  },
  labels: () => mysqlLabelsIn(db),
  askClient: (client, sql) => (client as Connection).promise().query(sql),
}));

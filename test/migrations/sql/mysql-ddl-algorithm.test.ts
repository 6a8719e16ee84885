import { describeVerdict, judgeMysqlDdl } from '../../../src/migrations/sql/mysql-ddl-algorithm.js';
import { readMysqlTraits } from '../../../src/migrations/sql/mysql-traits.js';
import { statement, useServer } from '../database/drivers.js';

const server = useServer('mysql2');

async function judge(text: string) {
  const session = await server.open();
  const sent = { statement: statement(text), traits: readMysqlTraits(statement(text), 101111) };
  return judgeMysqlDdl(session, sent);
}

beforeAll(async () => {
  await server.query('CREATE TABLE parent (id INT PRIMARY KEY)');
  await server.query(
    'CREATE TABLE a (id INT PRIMARY KEY, name VARCHAR(20), price INT NOT NULL, INDEX by_price (price), ' +
      'CONSTRAINT to_parent FOREIGN KEY (price) REFERENCES parent (id)) ENGINE=InnoDB',
  );
  await server.query('CREATE TABLE m (id INT) ENGINE=MyISAM');
  await server.query(
    'CREATE TABLE t (id INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (9), PARTITION p1 VALUES LESS THAN (99))',
  );
});

describe('how MariaDB would carry it out', () => {
  test.each<[string, object]>([
    ['ALTER TABLE a ADD COLUMN note TEXT', { algorithm: 'INSTANT', source: 'tried' }],
    [
      'ALTER TABLE `a` /* c */ RENAME COLUMN name TO title, ALTER price SET DEFAULT 1',
      { algorithm: 'INSTANT', source: 'tried' },
    ],
    ['CREATE INDEX by_name ON a (name)', { algorithm: 'NOCOPY', lock: 'NONE', source: 'tried' }],
    ['CREATE INDEX by_name ON a (name) -- what for', { algorithm: 'NOCOPY', lock: 'NONE', source: 'tried' }],
    ['DROP INDEX IF EXISTS by_price ON a', { algorithm: 'NOCOPY', source: 'tried' }],
    ['DROP INDEX by_price ON a', { algorithm: 'NOCOPY', source: 'tried' }],
    ['CREATE FULLTEXT INDEX words ON a (name)', { lock: 'SHARED', source: 'tried' }],
    ['ALTER TABLE a FORCE', { algorithm: 'INPLACE', lock: 'NONE', source: 'tried' }],
    ['ALTER TABLE a MODIFY price BIGINT', { algorithm: 'COPY', lock: 'SHARED', source: 'tried' }],
    ['ALTER TABLE m ADD INDEX (id)', { algorithm: 'COPY', source: 'tried' }],
    [
      'ALTER TABLE a ADD COLUMN note TEXT, ALGORITHM=COPY',
      { source: 'tried', note: 'with the ALGORITHM that it names' },
    ],
    ['ALTER TABLE t DROP PARTITION p1', { source: 'tried' }],
    [
      'ALTER TABLE a DROP COLUMN missing',
      { source: 'none', note: expect.stringMatching(/refuses it: .*missing/) },
    ],
    [
      'ALTER TABLE later ADD COLUMN b INT',
      { source: 'none', refused: true, note: 'its table does not exist: the statement would fail' },
    ],
    ['ALTER TABLE a RENAME TO b', { source: 'none', note: expect.stringContaining('renames') }],
    [
      'ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE a',
      { source: 'none', note: expect.stringContaining('not tried') },
    ],
    [
      'ALTER TABLE a ADD FOREIGN KEY (id) REFERENCES parent (id)',
      { algorithm: 'COPY', source: 'documented' },
    ],
    ['ALTER TABLE a DROP FOREIGN KEY to_parent', { algorithm: 'INPLACE', source: 'documented' }],
    ['RENAME TABLE a TO b', { algorithm: 'INSTANT', source: 'documented' }],
    ['TRUNCATE a', { algorithm: 'INSTANT', lock: 'EXCLUSIVE', source: 'documented' }],
    ['CREATE TABLE x (id INT)', { source: 'none' }],
    ['INSERT INTO a VALUES (1)', { source: 'none' }],
  ])('%s', async (text, verdict) => {
    const tables = await server.query('SHOW TABLES');
    const definition = await server.query('SHOW CREATE TABLE a');
    expect(await judge(text)).toMatchObject(verdict);
    expect(await server.query('SHOW TABLES')).toEqual(tables);
    expect(await server.query('SHOW CREATE TABLE a')).toEqual(definition);
  });
});

test.each([
  [{ algorithm: 'INPLACE', lock: 'NONE', source: 'tried' }, 'INPLACE, others read and write meanwhile'],
  [{ algorithm: 'INSTANT', source: 'documented' }, 'INSTANT, as the manual has it, not tried'],
  [{ source: 'none' }, ''],
] as const)('%j is told as: %s', (verdict, text) => {
  expect(describeVerdict(verdict)).toBe(text);
});

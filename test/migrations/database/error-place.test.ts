import type { StatementFailedError } from '../../../src/migrations/errors.js';
import { failureOf, MYSQL_DRIVERS, statements, useServer } from './drivers.js';

const SETS = [
  'SET @OLD_SQL_MODE = @@SQL_MODE',
  "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */",
  "SET SESSION sql_mode = ''",
  'SET @a = 1',
  '/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */',
  'SET NAMES utf8mb4',
];
const INSERTS = [1, 2, 3].map((id) => `INSERT INTO item VALUES (${id})`);
const FAILS = 'INSERT INTO item (id) VALUES (2)';
const REST = [4, 5].map((id) => `INSERT INTO item VALUES (${id})`);

describe.each(MYSQL_DRIVERS)('the statement that an error is of, on %s', (driver) => {
  const server = useServer(driver);
  beforeEach(() => server.query('CREATE TABLE item (id int PRIMARY KEY)'));
  afterEach(() => server.query('DROP TABLE item'));

  /** The place and the text of the statement that failed, of a script in a transaction, and its error. */
  async function failedOf(...texts: readonly string[]) {
    const session = await server.open();
    try {
      await session.query('BEGIN');
      const error = await failureOf<StatementFailedError>(session.run(statements(...texts)));
      return { text: `${error.at} ${texts[error.at]}`, error, isLost: session.lost !== undefined };
    } finally {
      await session.end();
    }
  }

  describe.each(SETS)('with %s', (set) => {
    test.each([
      ['first', [set, ...INSERTS, FAILS, ...REST]],
      ['first, several times', [set, set, set, ...INSERTS, FAILS, ...REST]],
      ['in the middle', [...INSERTS.slice(0, 2), set, ...INSERTS.slice(2), FAILS, ...REST]],
      ['right before it', [...INSERTS, set, FAILS, ...REST]],
      ['right behind it', [...INSERTS, FAILS, set, ...REST]],
      ['last', [...INSERTS, FAILS, ...REST, set]],
    ])('%s', async (_, texts) => {
      const { text, error } = await failedOf(...texts);
      expect(text).toBe(`${texts.indexOf(FAILS)} ${FAILS}`);
      expect(error.message).toContain("'2'");
    });
  });

  test.each([
    ['behind rows', ['SELECT * FROM item', FAILS], 1],
    ['behind no rows', ['SELECT * FROM item WHERE id < 0', FAILS], 1],
    ['behind a warning', ["SELECT CAST('a' AS signed)", FAILS], 1],
    ['behind an UPDATE', ['UPDATE item SET id = id', FAILS], 1],
    ['of a query before its rows', ['SELECT * FROM nope', FAILS], 0],
    [
      'of a query amid its rows',
      ['SELECT id, (SELECT i.id FROM item i WHERE i.id >= item.id) FROM item', FAILS],
      0,
    ],
    [
      'amid rows that came already',
      [`SELECT seq, IF(seq < 90000, 1, (SELECT 1 UNION SELECT seq)) FROM seq_1_to_90001`, FAILS],
      0,
    ],
  ])('%s', async (_, texts, at) => {
    const { text } = await failedOf(...INSERTS, ...texts, ...REST);
    expect(text).toBe(`${INSERTS.length + at} ${texts[at]}`);
  });

  test.each([
    [
      'a statement timeout',
      'SET STATEMENT max_statement_time = 0.05 FOR INSERT INTO item SELECT 9 + SLEEP(30)',
    ],
    ['KILL QUERY', 'KILL QUERY CONNECTION_ID()'],
    ['SIGNAL', "SIGNAL SQLSTATE '45000'"],
    ['KILL', 'KILL CONNECTION_ID()'],
  ])('that fails by %s', async (how, fails) => {
    const { text, isLost } = await failedOf(SETS[0]!, ...INSERTS, fails, ...REST);
    expect(text).toBe(`4 ${fails}`);
    expect(isLost).toBe(how === 'KILL');
  });
});

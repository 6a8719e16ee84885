import { splitPostgres } from '../../../src/migrations/sql/postgres-splitter.js';
import { useDatabase } from '../../harness/database.js';
import { readRecord } from './client-record.js';
import { collect } from './collect.js';
import { PSQL_SCRIPTS, SERVER_SCRIPTS } from './postgres-scripts.js';
import { essence, type Sent } from './psql.js';

const db = useDatabase();
// postgres-scripts.clients.ts holds the record, which is of psql 15, against psql itself.
const recorded = readRecord<readonly Sent[]>('postgres-scripts.json');
const names = Object.keys(PSQL_SCRIPTS);

async function split(script: string): Promise<readonly Sent[]> {
  const found: Sent[] = [];
  for (const item of await collect(splitPostgres, [script]))
    if (item.kind === 'copy') found.push({ copy: essence(item.text), data: item.data });
    else if (item.kind === 'statement') found.push(essence(item.text));
  return found;
}

test('there is a record of every script, and of no other', () => {
  expect(Object.keys(recorded)).toEqual(names);
});

test.each(names)('what psql sends: %s', async (name) => {
  expect(await split(PSQL_SCRIPTS[name]!)).toEqual(recorded[name]);
});

test.each(Object.entries(SERVER_SCRIPTS))(
  'what the server reads otherwise than psql: %s',
  async (_, statements) => {
    expect(await split(`${statements.join(';\n')};\n`)).toEqual(statements.map(essence));
  },
);

test("E quotes that go on behind comments are one text, the server's word", async () => {
  const [statement, second] = await collect(splitPostgres, [
    "SELECT E'a' -- x\n -- '\n 'b\\';' AS joined; SELECT 2",
  ]);
  expect(second).toMatchObject({ text: 'SELECT 2' });
  expect(await db.query(statement!.text)).toEqual([{ joined: "ab';" }]);
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitPostgres } from '../../../src/migrations/sql/postgres-splitter.js';
import { useDatabase } from '../../harness/database.js';
import { collect } from './collect.js';
import { PSQL_SCRIPTS, SERVER_SCRIPTS } from './postgres-scripts.js';
import { essence, psqlVersion, type Sent, sentByPsql } from './psql.js';

// What psql sends of each script was written down from psql 15: HOLDFAST_RECORD=1 does it again.
const db = useDatabase();
const file = join(__dirname, 'postgres-scripts.json');
const isRecording = process.env['HOLDFAST_RECORD'] === '1';
const recorded = JSON.parse(isRecording ? '{}' : readFileSync(file, 'utf8')) as Record<
  string,
  readonly Sent[]
>;
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

if (psqlVersion !== undefined) {
  describe(`the psql of this machine, ${psqlVersion}, does as is written down`, () => {
    test.each(names)('%s', async (name) => {
      const sent = await sentByPsql(PSQL_SCRIPTS[name]!);
      if (isRecording) recorded[name] = sent;
      expect(sent).toEqual(recorded[name]);
    });

    afterAll(() => {
      if (isRecording) writeFileSync(file, `${JSON.stringify(recorded, null, 2)}\n`);
    });
  });
}

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

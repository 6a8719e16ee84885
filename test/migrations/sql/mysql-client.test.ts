import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitMysql } from '../../../src/migrations/sql/mysql-splitter.js';
import type { FaultProxy } from '../../harness/fault-proxy.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { collect } from './collect.js';
import { essence, mariadbClient, sentByClient } from './mysql-client.js';
import { CLIENT_SCRIPTS } from './mysql-scripts.js';

// What the client sends of each script was written down from a client: HOLDFAST_RECORD=1 does it again, prettier
// gives it its form.
const file = join(__dirname, 'mysql-scripts.json');
const isRecording = process.env['HOLDFAST_RECORD'] === '1';
const recorded = JSON.parse(isRecording ? '{}' : readFileSync(file, 'utf8')) as Record<string, string[]>;
const names = Object.keys(CLIENT_SCRIPTS);

test('there is a record of every script, and of no other', () => {
  expect(Object.keys(recorded)).toEqual(names);
});

test.each(names)('what the mariadb client sends: %s', async (name) => {
  const items = await collect(splitMysql, [CLIENT_SCRIPTS[name]!]);
  const statements = items.filter(({ kind }) => kind === 'statement').map(({ text }) => essence(text));
  expect(statements.filter((text) => text !== '')).toEqual(recorded[name]);
});

if (mariadbClient !== undefined) {
  describe('the client of this machine does as is written down', () => {
    const db = useMysqlDatabase();
    let proxy: FaultProxy;
    beforeAll(async () => {
      proxy = await db.proxy();
    });

    test.each(names)('%s', async (name) => {
      const sent = await sentByClient(proxy, db.url, CLIENT_SCRIPTS[name]!);
      if (isRecording) recorded[name] = sent;
      expect(sent).toEqual(recorded[name]);
    });

    afterAll(() => {
      if (isRecording) writeFileSync(file, JSON.stringify(recorded));
    });
  });
}

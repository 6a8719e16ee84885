import { splitMysql } from '../../../src/migrations/sql/mysql-splitter.js';
import { readRecord } from './client-record.js';
import { collect } from './collect.js';
import { essence } from './mysql-client.js';
import { CLIENT_SCRIPTS } from './mysql-scripts.js';

// mysql-scripts.clients.ts holds the record against the client itself.
const recorded = readRecord<string[]>('mysql-scripts.json');
const names = Object.keys(CLIENT_SCRIPTS);

test('there is a record of every script, and of no other', () => {
  expect(Object.keys(recorded)).toEqual(names);
});

test.each(names)('what the mariadb client sends: %s', async (name) => {
  const items = await collect(splitMysql, [CLIENT_SCRIPTS[name]!]);
  const statements = items.filter(({ kind }) => kind === 'statement').map(({ text }) => essence(text));
  expect(statements.filter((text) => text !== '')).toEqual(recorded[name]);
});

import { runInTransaction } from 'holdfast';
import { failureOf } from '../conformance/observing.js';
import { Entry } from '../conformance/ways-in.js';
import { labelsOf, useSqlite } from './sqlite-ways-in.js';

const sources = {
  file: useSqlite('better-sqlite3', { name: 'file' }),
  memory: useSqlite('sqljs', { name: 'memory' }),
};
type Name = keyof typeof sources;
const orders: readonly (readonly [Name, Name])[] = [
  ['file', 'memory'],
  ['memory', 'file'],
];

const committed = async (): Promise<Record<Name, string[]>> => ({
  file: await labelsOf(sources.file),
  memory: await labelsOf(sources.memory),
});
const write = (order: readonly Name[], then: () => unknown = () => undefined): Promise<void> =>
  runInTransaction(
    async () => {
      for (const name of order) {
        await sources[name].dataSource.getRepository(Entry).insert({ label: name });
      }
      await then();
    },
    { dataSource: order, name: 'Orders.move' },
  );
/** SQLite finds it out at COMMIT, and not before. */
const breakAtCommit = (name: Name) => () =>
  sources[name].dataSource.query('INSERT INTO child (id, parent_id) VALUES (1, 99)');

describe.each(orders)('two SQLite data sources in one method: %s first', (first, second) => {
  test('commits both, and rolls back both', async () => {
    const boom = new Error('boom');
    expect(await failureOf(write([first, second], () => Promise.reject(boom)))).toBe(boom);
    expect(await committed()).toEqual({ file: [], memory: [] });
    await write([first, second]);
    expect(await committed()).toEqual({ file: ['file'], memory: ['memory'] });
  });

  test('what the first one refuses at COMMIT is committed nowhere', async () => {
    const error = await failureOf(write([first, second], breakAtCommit(first)));
    expect(error.message).toContain('FOREIGN KEY constraint failed');
    expect(await committed()).toEqual({ file: [], memory: [] });
  });

  test('what the second one refuses at COMMIT is committed on the first, and the error says so', async () => {
    expect(await failureOf(write([first, second], breakAtCommit(second)))).toMatchObject({
      code: 'PARTIAL_COMMIT',
      committed: [first],
      rolledBack: [second],
      unknown: [],
    });
    expect(await committed()).toEqual({ file: [], memory: [], [first]: [first] });
  });
});

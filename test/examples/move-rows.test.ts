import { useDatabase } from '../harness/database.js';
import type { ArmedFault, FaultProxy } from '../harness/fault-proxy.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { NodeProcess } from './spawn-node.js';

jest.setTimeout(600_000);

const source = useMysqlDatabase([
  `CREATE TABLE chat (
     id bigint AUTO_INCREMENT PRIMARY KEY, room int NOT NULL, author varchar(40) NOT NULL,
     body text NOT NULL, sent_at datetime(3) NOT NULL
   ) ENGINE = InnoDB CHARACTER SET utf8mb4`,
]);
const target = useDatabase({
  schema: `CREATE TABLE chat (
    id bigint PRIMARY KEY, room int NOT NULL, author text NOT NULL,
    body text NOT NULL, sent_at timestamp(3) NOT NULL
  )`,
});

const ROWS = 25;
let proxies: { source: FaultProxy; target: FaultProxy };
let all: string[];

const onSource = async (): Promise<string[]> =>
  (
    await source.query<{ row: string }>(
      `SELECT concat_ws('|', id, room, author, md5(body), sent_at) AS row FROM chat ORDER BY id`,
    )
  ).map(({ row }) => row);
const onTarget = async (): Promise<string[]> =>
  (
    await target.query<{ row: string }>(
      `SELECT concat_ws('|', id, room, author, md5(body), to_char(sent_at, 'YYYY-MM-DD HH24:MI:SS.MS')) AS row FROM chat ORDER BY id`,
    )
  ).map(({ row }) => row);

function start(
  env: { SOURCE_URL: string; TARGET_URL: string; CHUNK_SIZE?: string },
  ...options: string[]
): NodeProcess {
  return new NodeProcess(['examples/move-rows/run.mjs', ...options], { CHUNK_SIZE: '10', ...env });
}
const direct = () => ({ SOURCE_URL: source.url, TARGET_URL: target.url });
const proxied = () => ({
  SOURCE_URL: proxies.source.url(source.url),
  TARGET_URL: proxies.target.url(target.url),
});

async function endOf(process: NodeProcess): Promise<{ code: number | null; output: string }> {
  try {
    const code = await process.ended;
    return { code, output: process.output };
  } finally {
    await process.remove();
  }
}

beforeAll(async () => {
  const { code, output } = await endOf(start(direct()));
  if (code !== 0) throw new Error(`The example does not compile, or does not run:\n${output}`);
});

beforeEach(async () => {
  await target.truncate();
  await source.query('DELETE FROM chat');
  for (let n = 1; n <= ROWS; n++) {
    await source.query('INSERT INTO chat (room, author, body, sent_at) VALUES (?, ?, ?, ?)', [
      n % 3,
      `user ${n}`,
      `„${n}“ 😀`,
      `2026-03-29 02:30:${10 + n}.123`,
    ]);
  }
  all = await onSource();
  proxies = { source: await source.proxy(), target: await target.proxy() };
});

test('moves every row as it is, a chunk at a time', async () => {
  expect(await endOf(start(direct(), '--compiled'))).toEqual({
    code: 0,
    output: 'moved 10 rows\nmoved 10 rows\nmoved 5 rows\nnothing is left to move\n',
  });
  expect(await onTarget()).toEqual(all);
  expect(await onSource()).toEqual([]);
});

test.each(['0', '-5', 'abc', '2.5', ''])('CHUNK_SIZE=%s is refused, and nothing is moved', async (size) => {
  expect(await endOf(start({ ...direct(), CHUNK_SIZE: size }, '--compiled'))).toEqual({
    code: 1,
    output: `CHUNK_SIZE is "${size}"; it is a number of rows: give a whole number from 1 on.\n`,
  });
  expect(await onSource()).toEqual(all);
});

describe.each<[string, 'source' | 'target', RegExp, atTarget: number, atSource: number]>([
  ['it reads a chunk', 'source', /FROM chat ORDER BY id/, 0, ROWS],
  ['it inserts', 'target', /^INSERT INTO chat/, 0, ROWS],
  ['the counts are compared', 'target', /^SELECT count/, 0, ROWS],
  ['it deletes', 'source', /^DELETE FROM chat/, 0, ROWS],
  ['the target commits', 'target', /^COMMIT$/, 0, ROWS],
  ['the source commits, after the target did', 'source', /^COMMIT$/, 10, ROWS],
])('killed while %s', (_, at, statement, atTarget, atSource) => {
  async function killed(): Promise<void> {
    const held: ArmedFault = proxies[at].once(statement, { action: 'hold' });
    const process = start(proxied(), '--compiled');
    await Promise.race([held.fired, process.ended]);
    process.kill('SIGKILL');
    await endOf(process);
    await Promise.all([proxies.source.cut(), proxies.target.cut()]);
  }

  test('no row is lost, and the next start moves all of them, once', async () => {
    await killed();
    expect(await onTarget()).toEqual(all.slice(0, atTarget));
    expect(await onSource()).toEqual(all.slice(ROWS - atSource));

    expect(await endOf(start(direct(), '--compiled'))).toMatchObject({ code: 0 });
    expect(await onTarget()).toEqual(all);
    expect(await onSource()).toEqual([]);
  });
});

test.each(['cut-before', 'cut-after'] as const)(
  'the source’s COMMIT has no answer (%s): the chunk is run once more',
  async (action) => {
    proxies.source.once(/^COMMIT$/, { action });
    const { code, output } = await endOf(start(proxied(), '--compiled'));
    expect({ code, output }).toEqual({
      code: 0,
      output: expect.stringContaining('once more: committed on target\n'),
    });
    expect(await onTarget()).toEqual(all);
    expect(await onSource()).toEqual([]);
  },
);

test('another row has the id on the target: the run ends, and the chunk is where it was', async () => {
  await target.query(`INSERT INTO chat VALUES ($1, 1, 'eve', 'other', now())`, [all[12]!.split('|')[0]]);
  const { code, output } = await endOf(start(direct(), '--compiled'));
  expect({ code, output }).toEqual({
    code: 1,
    output: expect.stringMatching(
      /^moved 10 rows\n10 rows were read, and 9 are on the target as they were read/,
    ),
  });
  expect(await onSource()).toEqual(all.slice(10));
  expect(await onTarget()).toHaveLength(11);
});

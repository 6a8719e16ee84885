import { setTimeout as sleep } from 'node:timers/promises';
import type { LockHolder } from '../../../src/migrations/index.js';
import { useChildProgram } from './child-program.js';
import { useMariadb, usePostgres, useWorkspace } from './workspace.js';

const DEPLOYERS = 10;

const engines = [
  ['PostgreSQL', usePostgres, 'CREATE INDEX CONCURRENTLY a_n ON a (n);'],
  ['MariaDB', () => useMariadb('mysql2'), 'CREATE INDEX a_n ON a (n);'],
] as const;

describe.each(engines)('ten deployers at once on %s', (_, use, index) => {
  const engine = use();
  const files = useWorkspace(engine);
  const program = useChildProgram();
  const waits =
    engine.driver === 'pg'
      ? 'SELECT pg_advisory_lock(4711)'
      : `SELECT GET_LOCK('deployers ${process.pid}', 600)`;

  test('apply each file once, and those who wait say whom they wait for', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.sql': 'INSERT INTO a VALUES (2)',
      'V3__index.sql': index,
      'V4__d.sql': waits,
      'V5__e.sql': 'INSERT INTO a VALUES (5)',
    });
    const { db } = engine;
    const gate = 'client' in db ? await db.client() : await db.connection();
    await (gate as { query(sql: string): Promise<unknown> }).query(waits);
    const children = Array.from({ length: DEPLOYERS }, () =>
      program.up({ url: engine.url, driver: engine.driver, directories: ['.'], cwd: files.folder }),
    );
    const holders = (): LockHolder[] =>
      children.flatMap(({ events }) =>
        events.flatMap((event) => (event.kind === 'waiting for lock' && event.holder ? [event.holder] : [])),
      );
    let isOver = false;
    const ended = Promise.all(children.map((child) => child.ended)).finally(() => (isOver = true));
    // However late the others begin, somebody has the lock.
    while (holders().length === 0 && !isOver) await sleep(20);
    await gate.end();
    const outcomes = await ended;
    expect(outcomes.map(({ error }) => error)).toEqual(outcomes.map(() => undefined));
    const applied = outcomes.flatMap(({ result }) => result?.applied.map(({ script }) => script) ?? []);
    expect(applied.sort()).toEqual(['V1__a.sql', 'V2__b.sql', 'V3__index.sql', 'V4__d.sql', 'V5__e.sql']);
    expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 2 }, { n: 5 }]);
    const pids = new Set(children.map(({ pid }) => pid));
    expect(holders().some(({ pid }) => pid !== undefined && pids.has(pid))).toBe(true);
  });
});

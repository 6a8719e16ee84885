import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  runInTransaction,
  type TransactionOptions,
} from 'holdfast';
import { useDatabase } from '../harness/database.js';
import {
  conformanceSchema,
  everyWay,
  expectCleanPool,
  failureOf,
  labelsIn,
  signal,
  useWork,
  type Work,
} from './ways-in.js';
import { useWitness } from './witness.js';

const db = useDatabase({ schema: conformanceSchema });
const orphan = 'INSERT INTO child (id, parent_id) VALUES (1, 404)';

function hooks(heard: string[]): void {
  afterCommit(() => heard.push('commit'));
  afterRollback(() => heard.push('rollback'));
  afterCompletion((completion) => heard.push(completion));
}

describe.each(everyWay)('the server refuses COMMIT: $name', ({ way, opening }) => {
  const work = useWork(db, way);
  const witness = useWitness();

  const contexts: readonly (readonly [string, (work: Work) => Promise<unknown>])[] = [
    ['in the method itself', (use) => use.query(orphan)],
    ['in a joined method', (use) => runInTransaction(() => use.query(orphan))],
    ['in a NESTED method', (use) => runInTransaction(() => use.query(orphan), { propagation: 'NESTED' })],
    ['in a before-commit hook', async (use) => beforeCommit(() => use.query(orphan))],
  ];

  test.each(contexts)('a deferred foreign key, broken %s', async (_, breakIt) => {
    const heard: string[] = [];
    const called = opening.run(async () => {
      hooks(heard);
      await work.insert('undone');
      await breakIt(work);
    });
    expect(await failureOf(called)).toMatchObject({ code: '23503', constraint: 'child_parent_id_fkey' });
    expect(heard).toEqual(['rollback', 'rolled back']);
    expect(await labelsIn(db)).toEqual([]);
    // The server answered, so nothing is wrong with the connection: it goes back, and nobody is warned.
    expect(work.pool.totalCount).toBe(1);
    expect([witness.messages, witness.escaped]).toEqual([[], []]);
    await expectCleanPool(work.pool, db);
  });

  test('a deferred foreign key that is made whole before COMMIT: committed', async () => {
    const heard: string[] = [];
    await opening.run(async () => {
      hooks(heard);
      await work.query(orphan);
      await work.query('INSERT INTO parent (id) VALUES (404)');
    });
    expect(heard).toEqual(['commit', 'committed']);
    expect(await db.query('SELECT id FROM child')).toEqual([{ id: 1 }]);
    await expectCleanPool(work.pool, db);
  });

  test('a REQUIRES_NEW method: told inside the outer one, which can go on', async () => {
    const heard: string[] = [];
    await opening.run(async () => {
      await work.insert('outer');
      const inner = runInTransaction(
        async () => {
          hooks(heard);
          await work.query(orphan);
        },
        { propagation: 'REQUIRES_NEW' },
      );
      expect(await failureOf(inner)).toMatchObject({ code: '23503' });
      expect(heard).toEqual(['rollback', 'rolled back']);
      await work.insert('outer again');
    });
    expect(await labelsIn(db)).toEqual(['outer', 'outer again']);
    await expectCleanPool(work.pool, db);
  });

  test('of work that is kept in spite of an error (commitOn): the caller is told of COMMIT', async () => {
    const heard: string[] = [];
    const called = opening.run(
      async () => {
        hooks(heard);
        await work.query(orphan);
        throw new RangeError('to be committed');
      },
      { commitOn: RangeError },
    );
    expect(await failureOf(called)).toMatchObject({ code: '23503' });
    expect(heard).toEqual(['rollback', 'rolled back']);
    await expectCleanPool(work.pool, db);
  });

  test('a serialization failure: told with its code, hooks hear of the rollback', async () => {
    const { first, second } = await writeSkew(work, opening.run, {});
    await first.finish();
    expect(await failureOf(second.finish())).toMatchObject({ code: '40001' });
    expect(second.heard).toEqual(['rollback', 'rolled back']);
    expect(await labelsIn(db)).toEqual(['first']);
    await expectCleanPool(work.pool, db);
  });

  test('a serialization failure with retry: the second attempt commits, hooks run once', async () => {
    const { first, second } = await writeSkew(work, opening.run, { retry: { attempts: 2, backoffMs: 1 } });
    await first.finish();
    await second.finish();
    expect(second.heard).toEqual(['rollback', 'rolled back', 'commit', 'committed']);
    expect(await labelsIn(db)).toEqual(['first', 'second']);
    await expectCleanPool(work.pool, db);
  });

  test('any other error in answer to COMMIT: told as it is', async () => {
    const proxy = await db.proxy();
    const far = await way.start(db, { url: proxy.url(db.url), name: 'far' });
    proxy.once(/^COMMIT/, { action: 'fail', sqlstate: '53100', message: 'disk full' });
    const heard: string[] = [];
    const called = opening.run(
      async () => {
        hooks(heard);
        await far.insert('undone');
      },
      { dataSource: 'far' },
    );
    expect(await failureOf(called)).toMatchObject({ code: '53100', message: 'disk full' });
    expect(heard).toEqual(['rollback', 'rolled back']);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(far.pool, db);
  });
});

interface Writer {
  readonly heard: string[];
  /** Lets it commit. */
  finish(): Promise<void>;
}

/** Two SERIALIZABLE transactions that each read what the other writes; both have done all but COMMIT. */
async function writeSkew(
  work: Work,
  run: (body: () => Promise<void>, options: TransactionOptions) => Promise<void>,
  options: TransactionOptions,
): Promise<{ first: Writer; second: Writer }> {
  const start = async (label: string): Promise<Writer & { write(): Promise<void> }> => {
    const heard: string[] = [];
    const [read, write, written, finish] = [signal(), signal(), signal(), signal()];
    const done = run(
      async () => {
        hooks(heard);
        await work.query('SELECT count(*) FROM entry');
        read.send();
        await write.sent;
        await work.insert(label);
        written.send();
        await finish.sent;
      },
      { isolationLevel: 'SERIALIZABLE', ...options },
    );
    done.catch(() => undefined);
    await read.sent;
    return {
      heard,
      write: () => (write.send(), written.sent),
      finish: () => (finish.send(), done),
    };
  };
  const [first, second] = [await start('first'), await start('second')];
  await first.write();
  await second.write();
  return { first, second };
}

describe.each(everyWay)('the server refuses what travels in front of COMMIT: $name', ({ way, opening }) => {
  test('COMMIT is not executed either: nothing is kept, the caller is told, the connection goes back', async () => {
    const proxy = await db.proxy();
    const work = await way.start(db, { url: proxy.url(db.url), max: 1 });
    await db.truncate();
    const heard: string[] = [];
    const refused = proxy.once(/pg_current_xact_id_if_assigned/, {
      action: 'fail',
      sqlstate: '42501',
      message: 'permission denied for function pg_current_xact_id_if_assigned',
    });
    const called = opening.run(async () => {
      hooks(heard);
      // A write that does not ask for the id by itself.
      await work.query(
        "WITH one AS (INSERT INTO entry (label) VALUES ('undone') RETURNING id) SELECT id FROM one",
      );
    });
    expect(await failureOf(called)).toMatchObject({ code: '42501' });
    expect(refused.hits).toHaveLength(1);
    expect(heard).toEqual(['rollback', 'rolled back']);
    expect(await labelsIn(db)).toEqual([]);
    expect(work.pool.totalCount).toBe(1);
    await expectCleanPool(work.pool, db);
  });
});

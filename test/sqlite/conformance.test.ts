import {
  afterCommit,
  afterCompletion,
  afterRollback,
  IsolationMismatchError,
  ReadOnlyMismatchError,
  runInTransaction,
  SelfDeadlockError,
  TransactionControlError,
  UnexpectedRollbackError,
} from 'holdfast';
import { failureOf, signal } from '../conformance/observing.js';
import { commit, rollback, start, subscribe } from '../conformance/recording-subscriber.js';
import { useWitness } from '../conformance/witness.js';
import { everySqliteWay, everyTypeormWay, labelsOf } from './sqlite-ways-in.js';

const boom = new Error('boom');
const witness = useWitness();

describe.each(everySqliteWay)('$name', ({ useSource, way, opening }) => {
  const source = useSource();
  const insert = (label: string): Promise<void> => way.work(source).insert(label);
  const query = <Row>(sql: string): Promise<Row[]> => way.work(source).query<Row>(sql);
  const labels = async (): Promise<string[]> =>
    (await query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);

  test('commits what the method did, and one that throws leaves nothing', async () => {
    let seenByOthers: string[] = [];
    const seen = await opening.run(async () => {
      await insert('one');
      await insert('two');
      if (source.other) seenByOthers = await labelsOf(source);
      return labels();
    });
    expect(seenByOthers).toEqual([]);
    expect(seen).toEqual(['one', 'two']);
    expect(await labelsOf(source)).toEqual(['one', 'two']);
    const failing = opening.run(async () => {
      await insert('three');
      throw boom;
    });
    expect(await failureOf(failing)).toBe(boom);
    expect(await labelsOf(source)).toEqual(['one', 'two']);
  });

  test('row 1: a branch that is still running when another rejects leaves nothing', async () => {
    const late = signal();
    let after: Promise<unknown> = Promise.resolve();
    const called = opening.run(async () => {
      after = failureOf(
        insert('slow')
          .then(() => late.sent)
          .then(() => insert('after the slow one')),
      );
      await Promise.all([after, insert('other').then(() => Promise.reject(boom))]);
    });
    expect(await failureOf(called)).toBe(boom);
    late.send();
    expect(await after).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await labelsOf(source)).toEqual([]);
  });

  test('row 2: a statement after the method returned is refused', async () => {
    const returned = signal();
    let late: Promise<unknown> = Promise.resolve();
    await opening.run(async () => {
      await insert('in time');
      late = failureOf(returned.sent.then(() => insert('late')));
    });
    returned.send();
    expect(await late).toMatchObject({ code: 'TRANSACTION_CLOSED' });
    expect(await labelsOf(source)).toEqual(['in time']);
  });

  test.each(['REQUIRES_NEW', 'NOT_SUPPORTED'] as const)(
    'rows 3, 4 and 14: %s inside the transaction would wait for itself, and is refused at once',
    async (propagation) => {
      const called = opening.run(async () => {
        await insert('outer');
        await runInTransaction(() => insert('inner'), { propagation });
      });
      const error = await failureOf(called);
      expect(error).toBeInstanceOf(SelfDeadlockError);
      expect(error.message).toContain('on SQLite a data source has one connection');
      expect(await labelsOf(source)).toEqual([]);
    },
  );

  test('row 5: nested work is gone when the outer method throws after it', async () => {
    const called = opening.run(async () => {
      await insert('outer');
      await runInTransaction(() => insert('nested'), { propagation: 'NESTED' });
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsOf(source)).toEqual([]);
  });

  test('row 6: of three nested at once the failing one alone is undone', async () => {
    await opening.run(async () => {
      const nested = (label: string): Promise<void> =>
        runInTransaction(
          async () => {
            await insert(label);
            if (label === 'b') throw boom;
            await insert(`${label}${label}`);
          },
          { propagation: 'NESTED' },
        );
      const ends = await Promise.allSettled(['a', 'b', 'c'].map(nested));
      expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });
    expect(await labelsOf(source)).toEqual(['a', 'aa', 'c', 'cc']);
  });

  test('rows 7 and 8: hooks run after COMMIT, are awaited, and one that throws changes nothing', async () => {
    const seen: string[] = [];
    await opening.run(async () => {
      await insert('kept');
      afterCommit(() => {
        throw new Error('of a hook');
      });
      afterCommit(async () => {
        seen.push(...(await labelsOf(source)));
      });
      afterRollback(() => seen.push('rolled back'));
      afterCompletion((completion) => seen.push(completion));
    });
    expect(seen).toEqual(['kept', 'committed']);
    expect(witness.logged).toHaveLength(1);
    expect(witness.escaped).toEqual([]);
  });

  test('row 9: a deferred constraint that fails at COMMIT rejects, and rolls back', async () => {
    const seen: string[] = [];
    const called = opening.run(async () => {
      await insert('never');
      await query('INSERT INTO child (id, parent_id) VALUES (1, 99)');
      afterCompletion((completion) => seen.push(completion));
    });
    expect((await failureOf(called)).message).toContain('FOREIGN KEY constraint failed');
    expect(seen).toEqual(['rolled back']);
    expect(witness.messages).toEqual([]);
    expect(await labelsOf(source)).toEqual([]);
  });

  test('row 11: a statement that fails undoes itself alone; the transaction goes on', async () => {
    await opening.run(async () => {
      await insert('kept');
      const failing = query('INSERT INTO entry (label) VALUES (NULL)');
      expect((await failureOf(failing)).message).toContain('NOT NULL constraint failed');
      await insert('kept too');
    });
    expect(await labelsOf(source)).toEqual(['kept', 'kept too']);
  });

  test('row 16: an error with which SQLite rolls back by itself is not to be swallowed', async () => {
    const refused: unknown[] = [];
    const called = opening.run(async () => {
      await insert('gone');
      await query('INSERT INTO once (id) VALUES (1)');
      await query('INSERT INTO once (id) VALUES (1)').catch(() => undefined);
      refused.push(await failureOf(insert('in autocommit')));
    });
    expect(await failureOf(called)).toBeInstanceOf(UnexpectedRollbackError);
    expect(refused).toEqual([expect.objectContaining({ code: 'TRANSACTION_CLOSED' })]);
    expect(await labelsOf(source)).toEqual([]);
  });

  test('row 12: a joined method that throws makes the outer one reject, though it swallows the error', async () => {
    const called = opening.run(async () => {
      await insert('outer');
      await runInTransaction(async () => {
        await insert('inner');
        throw boom;
      }).catch(() => undefined);
    });
    expect(await failureOf(called)).toBeInstanceOf(UnexpectedRollbackError);
    expect(await labelsOf(source)).toEqual([]);
  });

  test('row 13: a join with another level, or to write in a read-only transaction, is refused', async () => {
    await opening.run(
      async () => {
        const other = runInTransaction(labels, { isolationLevel: 'SERIALIZABLE', readOnly: true });
        expect(await failureOf(other)).toBeInstanceOf(IsolationMismatchError);
        expect(await failureOf(runInTransaction(() => insert('never')))).toBeInstanceOf(
          ReadOnlyMismatchError,
        );
      },
      { readOnly: true },
    );
    expect(await labelsOf(source)).toEqual([]);
  });

  test('a read-only transaction reads, refuses writes, and leaves the connection writable', async () => {
    await insert('before');
    const called = opening.run(
      async () => {
        expect(await labels()).toEqual(['before']);
        await insert('never');
      },
      { readOnly: true },
    );
    expect((await failureOf(called)).message).toContain('readonly database');
    await insert('after');
    expect(await labelsOf(source)).toEqual(['before', 'after']);
  });

  test.each(['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ'] as const)(
    'the level %s, which SQLite does not have, is refused by name before the method runs',
    async (isolationLevel) => {
      const method = jest.fn(() => insert('never'));
      const error = await failureOf(opening.run(method, { isolationLevel }));
      expect(error).toMatchObject({ code: 'INVALID_OPTIONS' });
      expect(error.message).toContain(isolationLevel);
      expect(error.message).toContain('SERIALIZABLE only');
      await opening.run(() => insert('kept'), { isolationLevel: 'SERIALIZABLE' });
      expect(await labelsOf(source)).toEqual(['kept']);
    },
  );

  test.each([
    'COMMIT',
    'END TRANSACTION',
    'ROLLBACK',
    'commit; SELECT 1',
    '/* x */ -- y\nCOMMIT',
    'PRAGMA query_only = OFF',
  ])('%j inside the transaction is refused and not sent', async (sql) => {
    const called = opening.run(async () => {
      await insert('undone');
      expect(await failureOf(query(sql))).toBeInstanceOf(TransactionControlError);
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await labelsOf(source)).toEqual([]);
  });

  test('two transactions at once, and a statement outside beside them, take turns', async () => {
    const order: string[] = [];
    const transfer = (name: string): Promise<void> =>
      opening.run(async () => {
        await insert(`${name}1`);
        await new Promise(setImmediate);
        await insert(`${name}2`);
        if (name === 'b') throw boom;
        order.push(name);
      });
    const ends = await Promise.allSettled([
      transfer('a'),
      transfer('b'),
      insert('outside').then(() => order.push('outside')),
      transfer('c'),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    const kept = await labelsOf(source);
    expect([...kept].sort()).toEqual(['a1', 'a2', 'c1', 'c2', 'outside']);
    expect(kept.indexOf('a2') - kept.indexOf('a1')).toBe(1);
    expect(kept.indexOf('c2') - kept.indexOf('c1')).toBe(1);
    expect(order).toHaveLength(3);
  });

  test('row 24: a consumer that was started before the transaction waits for its end, outside of it', async () => {
    const message = signal();
    const consumer = message.sent.then(() => insert('of the consumer'));
    const called = opening.run(async () => {
      await insert('undone');
      message.send();
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    await consumer;
    expect(await labelsOf(source)).toEqual(['of the consumer']);
  });
});

describe.each(everyTypeormWay)('$name', ({ useSource, way, opening }) => {
  const source = useSource();
  const insert = (label: string): Promise<void> => way.work(source).insert(label);

  test('rows 18 and 19: subscribers hear of the real boundary once, and what they throw changes nothing', async () => {
    const subscriber = subscribe({ dataSource: source.dataSource });
    try {
      subscriber.react.afterTransactionCommit = () => Promise.reject(boom);
      await opening.run(async () => {
        await insert('kept');
        await source.dataSource.transaction((manager) => manager.query('SELECT 1'));
      });
      expect(subscriber.heard).toEqual([...start, ...commit]);
      subscriber.heard.length = 0;
      subscriber.react.beforeTransactionRollback = () => Promise.reject(new Error('of the subscriber'));
      const called = opening.run(async () => {
        await insert('gone');
        throw boom;
      });
      expect(await failureOf(called)).toBe(boom);
      expect(subscriber.heard).toEqual([...start, ...rollback]);
    } finally {
      source.dataSource.subscribers.length = 0;
    }
    expect(await labelsOf(source)).toEqual(['kept']);
  });

  test('a method without a statement takes no connection, and waits for none', async () => {
    const runner = source.dataSource.createQueryRunner();
    await runner.startTransaction();
    await expect(opening.run(async () => 'answer')).resolves.toBe('answer');
    await runner.rollbackTransaction();
  });
});

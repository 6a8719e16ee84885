import { CommitOutcomeUnknownError } from 'holdfast';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { useHandLimit } from '../transaction/hand-limit.js';
import { failureOf, until, useHookNotes } from './observing.js';
import {
  everyMysqlWay,
  expectCleanMysqlPool,
  mysqlError,
  mysqlLabelsIn,
  type MysqlWork,
} from './mysql-ways-in.js';
import { useWitness } from './witness.js';

const db = useMysqlDatabase();
const witness = useWitness();
const limit = useHandLimit();
let proxy: FaultProxy;
const { told, listen } = useHookNotes();
beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
});

const sent = (pattern: RegExp): number =>
  proxy.statements.filter(({ text, outcome }) => outcome !== 'skipped' && pattern.test(text)).length;

describe.each(everyMysqlWay)('$name', ({ way, opening }) => {
  const start = (): Promise<MysqlWork> => way.start(db, { url: proxy.url(db.url) });

  describe('row 21: the connection drops at COMMIT', () => {
    test.each([
      ['cut-after', 'the server committed', ['paid']],
      ['cut-before', 'it never reached the server', []],
    ] as const)('%s (%s): unknown, for MySQL cannot be asked, and no second run', async (action, _, kept) => {
      const work = await start();
      const commit = proxy.once(/^COMMIT$/, { action });
      const called = opening.run(
        async () => {
          listen();
          await work.insert('paid');
        },
        { name: 'pay', retry: { attempts: 3, backoffMs: 1, on: () => true } },
      );
      const error = await failureOf(called);
      expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
      expect(error).toMatchObject({ retryable: false, transactionId: undefined, cause: expect.any(Error) });
      expect(error.message).toMatch(/"pay".*may or may not be committed.*look in the data itself/s);
      expect(error.message).not.toContain('pg_');
      expect(told).toEqual(['unknown']);
      expect(commit.hits).toHaveLength(1);
      expect(sent(/^INSERT/)).toBe(1);
      expect(await mysqlLabelsIn(db)).toEqual(kept);
      expect(witness.escaped).toEqual([]);
      await work.insert('next');
      await expectCleanMysqlPool(work, db);
    });

    test('of a read-only transaction: there is nothing that could be in doubt', async () => {
      const work = await start();
      proxy.once(/^COMMIT$/, { action: 'cut-before' });
      expect(await opening.run(() => work.labels(), { readOnly: true })).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });

    test('in a network that answers nothing: timeoutMs ends the wait, as unknown', async () => {
      const work = await start();
      const commit = proxy.once(/^COMMIT$/, { action: 'black-hole' });
      const failure = failureOf(
        opening.run(
          async () => {
            listen();
            await work.insert('lost');
          },
          { timeoutMs: limit.timeoutMs },
        ),
      );
      await commit.fired;
      limit.pass();
      expect(await failure).toBeInstanceOf(CommitOutcomeUnknownError);
      expect(told).toEqual(['unknown']);
      // Of the mariadb connector the server was told to end the session, over another connection, which is all that is left;
      // mysql2 leaves it to the network.
      const idle = way.driver === 'mariadb' ? 1 : 0;
      await until(
        'what is left on the server',
        async () => (await db.sessions()).length === 1 && work.managed.counts().idle === idle,
      );
      await proxy.heal();
      await expectCleanMysqlPool(work, db);
    });
  });

  test('the server answers COMMIT with an error: rolled back, and the error is told', async () => {
    const work = await start();
    proxy.once(/^COMMIT$/, { action: 'fail', sqlstate: '40001', errno: 1213, message: 'Deadlock found' });
    const called = opening.run(async () => {
      listen();
      await work.insert('lost');
    });
    expect(await failureOf(called)).toMatchObject({ errno: 1213 });
    expect(told).toEqual(['after rollback', 'rolled back']);
    expect(await mysqlLabelsIn(db)).toEqual([]);
    await expectCleanMysqlPool(work, db);
  });

  test.each([
    [
      { isolationLevel: 'READ COMMITTED' },
      ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED', 'START TRANSACTION'],
    ],
    [
      { isolationLevel: 'SERIALIZABLE', readOnly: true },
      ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'START TRANSACTION READ ONLY'],
    ],
    [{}, ['START TRANSACTION']],
  ] as const)('a transaction with %j begins so, in front of its first statement', async (options, begin) => {
    const work = await start();
    await opening.run(() => work.labels(), options);
    const from = proxy.texts.indexOf(begin[0]!);
    expect(proxy.texts.slice(from, from + begin.length)).toEqual(begin);
    expect(proxy.texts.slice(from + begin.length).at(-1)).toBe('COMMIT');
    expect(proxy.texts.filter((text) => /^(?:SET TRANSACTION|START)/.test(text))).toEqual(begin);
    await expectCleanMysqlPool(work, db);
  });

  describe('row 22: START TRANSACTION fails', () => {
    test('no statement is executed, so none is applied in autocommit', async () => {
      const work = await start();
      proxy.once(/^START TRANSACTION/, {
        action: 'fail',
        sqlstate: 'HY000',
        errno: 1836,
        message: 'Running in read-only mode',
      });
      const called = opening.run(async () => {
        await work.insert('one').catch(() => undefined);
        await work.insert('two').catch(() => undefined);
      });
      expect(await failureOf(called)).toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
      expect(sent(/^INSERT/)).toBe(0);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      await expectCleanMysqlPool(work, db);
    });

    test('an isolation level that the server does not take is told, and nothing is sent', async () => {
      const work = await start();
      proxy.once(/^SET TRANSACTION/, { action: 'fail', sqlstate: '42000', errno: 1064, message: 'no' });
      const called = opening.run(() => work.insert('one'), { isolationLevel: 'SERIALIZABLE' });
      expect(await failureOf(called)).toEqual(mysqlError('ER_PARSE_ERROR'));
      expect(sent(/^INSERT|^START/)).toBe(0);
      await expectCleanMysqlPool(work, db);
    });
  });
});

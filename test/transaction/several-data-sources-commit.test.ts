import 'reflect-metadata';
import {
  afterCommit,
  afterRollback,
  type HoldfastError,
  PartialCommitError,
  runInTransaction,
} from 'holdfast';
import type { Fault } from '../harness/fault-proxy.js';
import { until } from './entries.js';
import { useHandLimit } from './hand-limit.js';
import { useLog } from './log.js';
import {
  accesses,
  caught,
  insert,
  listen,
  NAMES,
  onBoth,
  type SourceName,
  type Sources,
  useTwoSources,
} from './two-sources.js';

const two = useTwoSources();
const log = useLog();
const limit = useHandLimit();
let sources: Sources;
let told: string[];
let runs: number;
/** Would run again whatever may be run again at all. */
const eager = { retry: { attempts: 3, backoffMs: 1, on: () => true } };
const NOTHING = { orders: [], audit: [] };
const BOTH = { orders: ['order'], audit: ['note'] };

async function book(): Promise<void> {
  runs++;
  await insert(sources.orders, 'order');
  await insert(sources.audit, 'note');
  for (const name of NAMES) await listen(name, told);
}
const atCommit = (name: SourceName, fault: Fault) => sources[name].proxy.once(/^COMMIT$/, fault);
const hooksFor = (name: SourceName, outcome: 'committed' | 'rolled back' | 'unknown'): string[] => {
  const after = { committed: ['after commit'], 'rolled back': ['after rollback'], unknown: [] }[outcome];
  return [...after, outcome].map((text) => `${name}: ${text}`);
};

/** Answers the server's error; the connection breaks before or after the server has it; nobody can be asked. */
const refused: Fault = { action: 'fail', sqlstate: '53100', message: 'disk full' };
const lost: Fault = { action: 'cut-before' };
const done: Fault = { action: 'cut-after' };
const CHECK = /^SET CONSTRAINTS/;

describe.each(accesses)('the COMMIT fails: $name', (access) => {
  beforeEach(async () => {
    sources = await two.open(access);
    told = [];
    runs = 0;
  });

  test.each([
    { what: 'is refused', fault: refused, code: '53100' },
    { what: 'is lost before it reaches the server', fault: lost, code: 'COMMIT_FAILED' },
  ])('the first $what: both are rolled back, and its own error is thrown', async ({ fault, code }) => {
    atCommit('orders', fault);
    expect(await caught(onBoth(book))).toMatchObject({ code });
    expect(await two.committed()).toEqual(NOTHING);
    expect(told).toEqual([...hooksFor('orders', 'rolled back'), ...hooksFor('audit', 'rolled back')]);
    expect(sources.audit.proxy.texts).not.toContain('COMMIT');
  });

  test('the first fails, and what is not committed anywhere is run again', async () => {
    atCommit('orders', lost);
    await onBoth(book, eager);
    expect(runs).toBe(2);
    expect(await two.committed()).toEqual(BOTH);
  });

  test.each([
    { what: 'is refused', fault: refused, cause: '53100' },
    { what: 'is lost before it reaches the server', fault: lost, cause: 'COMMIT_FAILED' },
  ])('the second $what: the error says what is where, and nothing is run again', async ({ fault, cause }) => {
    atCommit('audit', fault);
    const error = await caught(onBoth(book, eager));
    expect(error).toBeInstanceOf(PartialCommitError);
    expect(error).toMatchObject({
      code: 'PARTIAL_COMMIT',
      retryable: false,
      committed: ['orders'],
      rolledBack: ['audit'],
      unknown: [],
      cause: { code: cause },
      message:
        'The work of "Shop.book" is committed on "orders", rolled back on "audit": its COMMIT on "audit" failed, see the cause. ' +
        'Do what is missing on "audit", or undo what is done on "orders". ' +
        'Run the method again as a whole only if doing its work twice does no harm.',
    });
    expect(runs).toBe(1);
    expect(await two.committed()).toEqual({ orders: ['order'], audit: [] });
    expect(told).toEqual([...hooksFor('orders', 'committed'), ...hooksFor('audit', 'rolled back')]);
  });

  test('a hook that names no data source hears of a partial commit as of a rollback, with the error', async () => {
    atCommit('audit', refused);
    const heard: unknown[] = [];
    const error = await caught(
      onBoth(async () => {
        afterRollback((reason) => heard.push(reason));
        afterCommit(() => heard.push('committed'));
        await book();
      }),
    );
    expect(error).toBeInstanceOf(PartialCommitError);
    expect(heard).toEqual([error]);
  });

  test.each(NAMES)(
    'the connection breaks after the server committed %s: it is settled, and both are committed',
    async (name) => {
      atCommit(name, done);
      await onBoth(book, eager);
      expect(runs).toBe(1);
      expect(await two.committed()).toEqual(BOTH);
      expect(told).toEqual([...hooksFor('orders', 'committed'), ...hooksFor('audit', 'committed')]);
    },
  );

  test.each([
    { name: 'orders', fault: done, kept: { orders: ['order'], audit: [] } },
    { name: 'orders', fault: lost, kept: NOTHING },
    { name: 'audit', fault: done, kept: BOTH },
    { name: 'audit', fault: lost, kept: { orders: ['order'], audit: [] } },
  ] as const)(
    'nobody can say what became of $name ($fault.action): the error says so',
    async ({ name, fault, kept }) => {
      atCommit(name, fault);
      const call = onBoth(async () => {
        await book();
        await sources[name].proxy.refuse();
      }, eager);
      const error = await caught(call);
      const [committed, rolledBack] = name === 'orders' ? [[], ['audit']] : [['orders'], []];
      expect(error).toMatchObject({
        code: 'PARTIAL_COMMIT',
        retryable: false,
        committed,
        rolledBack,
        unknown: [name],
        cause: { code: 'COMMIT_OUTCOME_UNKNOWN' },
      });
      expect(error.message).toContain(
        name === 'orders'
          ? 'is perhaps committed on "orders", rolled back on "audit": its COMMIT on "orders" got no answer, see the cause. Find out first what became of "orders"'
          : 'is committed on "orders", perhaps committed on "audit": its COMMIT on "audit" got no answer, see the cause. Find out first what became of "audit"',
      );
      expect(runs).toBe(1);
      expect(await two.committed()).toEqual(kept);
      expect(told).toEqual(
        name === 'orders'
          ? [...hooksFor('orders', 'unknown'), ...hooksFor('audit', 'rolled back')]
          : [...hooksFor('orders', 'committed'), ...hooksFor('audit', 'unknown')],
      );
    },
  );

  test('the second connection breaks between the two COMMITs', async () => {
    const first = atCommit('orders', { action: 'hold' });
    const call = caught(onBoth(book));
    await first.fired;
    await sources.audit.proxy.cut();
    first.release();
    expect(await call).toMatchObject({
      committed: ['orders'],
      rolledBack: ['audit'],
      cause: { code: 'CONNECTION_LOST' },
    });
    expect(await two.committed()).toEqual({ orders: ['order'], audit: [] });
  });

  test.each([
    { name: 'audit', checked: 'orders' },
    { name: 'orders', checked: 'audit' },
  ] as const)(
    '$name loses its connection while the server checks $checked: nothing is committed',
    async ({ name, checked }) => {
      const check = sources[checked].proxy.once(CHECK, { action: 'hold' });
      const call = caught(onBoth(book));
      await check.fired;
      await until(async () => sources[name].proxy.texts.some((text) => CHECK.test(text)));
      await sources[name].proxy.cut();
      check.release();
      expect(await call).toMatchObject({ code: 'CONNECTION_LOST', retryable: true });
      expect(await two.committed()).toEqual(NOTHING);
      for (const each of NAMES) expect(sources[each].proxy.texts).not.toContain('COMMIT');
    },
  );

  test('what is lost during the check is run again as a whole', async () => {
    const check = sources.orders.proxy.once(CHECK, { action: 'hold' });
    const call = onBoth(book, eager);
    await check.fired;
    await sources.audit.proxy.cut();
    check.release();
    await call;
    expect(runs).toBe(2);
    expect(await two.committed()).toEqual(BOTH);
  });

  test.each(NAMES)('timeoutMs is over while the COMMIT of %s waits for its answer', async (name) => {
    const commit = atCommit(name, { action: 'hold' });
    const call = caught(onBoth(book, { timeoutMs: limit.timeoutMs }));
    await commit.fired;
    limit.pass();
    const error = await call;
    commit.release();
    expect(commit.hits).toHaveLength(1);
    // The server may get it yet.
    expect(error).toMatchObject({
      code: 'PARTIAL_COMMIT',
      committed: name === 'orders' ? [] : ['orders'],
      rolledBack: name === 'orders' ? ['audit'] : [],
      unknown: [name],
      cause: { code: 'COMMIT_OUTCOME_UNKNOWN', cause: { code: 'TRANSACTION_TIMEOUT' } },
    });
    const { orders, audit } = await two.committed();
    expect(name === 'orders' ? audit : orders).toEqual(name === 'orders' ? [] : ['order']);
  });

  test.each(NAMES)('timeoutMs is over while %s is waited for: both are rolled back', async (name) => {
    const call = onBoth(
      async () => {
        await book();
        await sources[name].query('SELECT pg_sleep(60)');
      },
      { timeoutMs: 250 },
    );
    expect(await caught(call)).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    expect(await two.committed()).toEqual(NOTHING);
  });

  test('timeoutMs is over when the method returns from a loop that let no timer have its turn: both are rolled back', async () => {
    const call = onBoth(
      async () => {
        await book();
        const end = performance.now() + 300;
        while (performance.now() < end);
      },
      { timeoutMs: 250 },
    );
    expect(await caught(call)).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    expect(await two.committed()).toEqual(NOTHING);
  });

  test('timeoutMs is over while the server checks what it would refuse at the second COMMIT: both are rolled back', async () => {
    const check = sources.audit.proxy.once(CHECK, { action: 'hold' });
    const call = caught(onBoth(book, { timeoutMs: limit.timeoutMs }));
    await check.fired;
    limit.pass();
    expect(await call).toMatchObject({ code: 'TRANSACTION_TIMEOUT' });
    check.release();
    expect(await two.committed()).toEqual(NOTHING);
  });

  test.each([[NAMES], [[...NAMES].reverse()]])(
    'the order of the COMMITs is that of the names: %p',
    async (dataSource) => {
      const [first, second] = dataSource as [SourceName, SourceName];
      const commit = atCommit(first, { action: 'hold' });
      const call = runInTransaction(book, { dataSource });
      await commit.fired;
      expect(sources[second].proxy.texts).not.toContain('COMMIT');
      expect(told).toEqual([]);
      commit.release();
      await call;
      expect(await two.committed()).toEqual(BOTH);
    },
  );

  test('only the last name was asked for anything: when it is refused, nothing is committed', async () => {
    atCommit('audit', refused);
    const error = await caught(onBoth(() => insert(sources.audit, 'note')));
    expect(error).toMatchObject({ code: '53100' });
    expect(await two.committed()).toEqual(NOTHING);
  });

  test('read-only, nothing is kept anywhere: the error of the second is thrown as it is', async () => {
    atCommit('audit', refused);
    const error = await caught(
      onBoth(() => Promise.all(NAMES.map((name) => sources[name].query('SELECT 1'))), { readOnly: true }),
    );
    expect(error).toMatchObject({ code: '53100' });
  });

  test('a joined transaction is named among what is rolled back', async () => {
    atCommit('audit', lost);
    const errors: HoldfastError[] = [];
    const outer = runInTransaction(
      () =>
        onBoth(async () => {
          await book();
          await sources.audit.proxy.refuse();
        }).catch((error: HoldfastError) => void errors.push(error)),
      { dataSource: 'orders' },
    );
    await expect(outer).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK' });
    expect(errors).toMatchObject([{ committed: [], rolledBack: ['orders'], unknown: ['audit'] }]);
    expect(await two.committed()).toEqual(NOTHING);
  });
});

describe('a shutdown of one data source, with shutdownTimeoutMs of 50', () => {
  beforeEach(async () => {
    sources = await two.open(accesses.find(({ name }) => name === 'TypeORM')!);
    told = [];
  });

  test.each(NAMES)('%s, while the method runs: both are rolled back', async (name) => {
    let begun: () => void = () => undefined;
    const isOpen = new Promise<void>((resolve) => (begun = resolve));
    const call = caught(
      onBoth(async () => {
        await book();
        begun();
        await new Promise(() => undefined);
      }, eager),
    );
    await isOpen;
    await sources[name].end();
    expect(await call).toMatchObject({ code: 'SHUTDOWN' });
    expect(await two.committed()).toEqual(NOTHING);
    expect(told).toEqual([...hooksFor('orders', 'rolled back'), ...hooksFor('audit', 'rolled back')]);
  });

  test('the second, while the COMMIT of the first is on its way', async () => {
    const first = atCommit('orders', { action: 'hold' });
    const call = caught(onBoth(book, eager));
    await first.fired;
    const ended = sources.audit.end();
    await until(async () => log.warnings.length > 0);
    first.release();
    expect(await call).toMatchObject({
      committed: ['orders'],
      rolledBack: ['audit'],
      cause: { code: 'SHUTDOWN' },
    });
    await ended;
    expect(await two.committed()).toEqual({ orders: ['order'], audit: [] });
  });
});

import {
  afterCommit,
  afterCompletion,
  afterRollback,
  beforeCommit,
  currentTransaction,
  runInTransaction,
  Transactional,
} from 'holdfast';
import { recordTransactions, type RecordedTransactions } from 'holdfast/testing';

let recorded: RecordedTransactions;
const rowsOf: Record<string, object[]> = { 'SELECT stock': [{ amount: 3 }] };
beforeEach(() => {
  recorded = recordTransactions({
    answer({ text }) {
      if (text === 'FAIL') throw Object.assign(new Error('refused by the answer'), { code: '23505' });
      return rowsOf[text] ?? [];
    },
  });
});
afterEach(() => recorded.stop());

/** A service as it is in an application: with a repository that the test replaces. */
class Orders {
  constructor(private readonly repository: { save(item: string): Promise<void> }) {}

  @Transactional({ isolationLevel: 'SERIALIZABLE' })
  async place(item: string): Promise<string> {
    await this.repository.save(item);
    beforeCommit(() => undefined);
    afterCommit(() => undefined);
    afterRollback(() => undefined);
    afterCompletion(() => undefined);
    await this.reserve().catch(() => undefined);
    return `placed ${item}`;
  }

  @Transactional({ propagation: 'NESTED' })
  async reserve(): Promise<void> {
    await this.repository.save('reservation');
  }
}

const repository = (save: (item: string) => unknown = () => undefined) => ({
  save: async (item: string): Promise<void> => void save(item),
});
const names = (): string[] =>
  recorded.steps.map((step) => (step.step === 'statement' ? step.text : `${step.step} ${step.name}`));

test('a service without a database: each step is written down, in order', async () => {
  const saved: unknown[] = [];
  const orders = new Orders(
    repository((item) =>
      saved.push([item, currentTransaction()?.isolationLevel, currentTransaction()?.depth]),
    ),
  );

  expect(await orders.place('pen')).toBe('placed pen');
  expect(saved).toEqual([
    ['pen', 'SERIALIZABLE', 1],
    ['reservation', 'SERIALIZABLE', 2],
  ]);
  expect(names()).toEqual([
    'begin Orders.place',
    'savepoint Orders.reserve',
    'release savepoint Orders.reserve',
    'before commit Orders.place',
    'commit Orders.place',
    'after commit Orders.place',
    'after completion Orders.place',
  ]);
});

test('a method that throws', async () => {
  const fails = repository((item) => {
    if (item === 'reservation') throw new Error('none left');
  });
  await new Orders(fails).place('pen');
  expect(names()).toEqual([
    'begin Orders.place',
    'savepoint Orders.reserve',
    'rollback to savepoint Orders.reserve',
    'before commit Orders.place',
    'commit Orders.place',
    'after commit Orders.place',
    'after completion Orders.place',
  ]);
  recorded.clear();

  await expect(
    new Orders(
      repository(() => {
        throw new Error('no');
      }),
    ).place('pen'),
  ).rejects.toThrow('no');
  expect(names()).toEqual(['begin Orders.place', 'rollback Orders.place']);
});

test('statements are answered, in their transaction', async () => {
  const { rows } = await runInTransaction(
    async () => {
      const client = await recorded.pool.connect();
      const answer = await client.query({ text: 'SELECT stock', values: ['pen'] });
      client.release();
      return answer;
    },
    { name: 'read' },
  );

  expect(rows).toEqual([{ amount: 3 }]);
  expect(await recorded.pool.query('SELECT nothing', [1])).toEqual({ rows: [], rowCount: 0 });
  expect(recorded.steps).toEqual([
    { step: 'begin', name: 'read' },
    { step: 'statement', text: 'SELECT stock', values: ['pen'] },
    { step: 'commit', name: 'read' },
    { step: 'statement', text: 'SELECT nothing', values: [1] },
  ]);
});

test('a statement that fails, and is swallowed, rolls back as it does on PostgreSQL', async () => {
  const swallows = runInTransaction(
    async () => {
      await recorded.pool.query('FAIL').catch(() => undefined);
    },
    { name: 'swallows' },
  );

  await expect(swallows).rejects.toMatchObject({ code: 'UNEXPECTED_ROLLBACK', cause: { code: '23505' } });
  expect(names()).toEqual(['begin swallows', 'FAIL', 'rollback swallows']);
});

test('in a NESTED method it undoes that one only', async () => {
  await runInTransaction(
    async () => {
      await recorded.pool.query('FIRST');
      const nested = runInTransaction(() => recorded.pool.query('FAIL'), {
        propagation: 'NESTED',
        name: 'inner',
      });
      await nested.catch(() => undefined);
      await recorded.pool.query('LAST');
    },
    { name: 'outer' },
  );

  expect(names()).toEqual([
    'begin outer',
    'FIRST',
    'savepoint inner',
    'FAIL',
    'rollback to savepoint inner',
    'LAST',
    'commit outer',
  ]);
});

test('an attempt that is run again begins again', async () => {
  let runs = 0;
  await runInTransaction(
    async () => {
      if (++runs === 1) throw Object.assign(new Error('deadlock'), { code: '40P01' });
    },
    { name: 'retried', retry: { attempts: 2, backoffMs: 1 } },
  );

  expect(names()).toEqual(['begin retried', 'rollback retried', 'begin retried', 'commit retried']);
});

test('REQUIRES_NEW is a transaction of its own', async () => {
  await runInTransaction(
    () => runInTransaction(async () => undefined, { propagation: 'REQUIRES_NEW', name: 'inner' }),
    { name: 'outer' },
  );

  expect(names()).toEqual(['begin outer', 'begin inner', 'commit inner', 'commit outer']);
});

test('without an answer every statement is refused', async () => {
  recorded.stop();
  recorded = recordTransactions();

  await expect(recorded.pool.query('SELECT 1')).rejects.toMatchObject({
    code: 'TEST_TRANSACTION',
    message: expect.stringContaining('recordTransactions({ answer })'),
  });
});

test('it stands for a data source of any name, until it is stopped', async () => {
  const audit = recordTransactions({ dataSource: 'audit' });
  expect(() => recordTransactions({ dataSource: 'audit' })).toThrow('already managed under the name "audit"');
  await runInTransaction(async () => undefined, { dataSource: 'audit', name: 'write' });
  expect(audit.steps).toEqual([
    { step: 'begin', name: 'write' },
    { step: 'commit', name: 'write' },
  ]);
  audit.stop();

  await expect(runInTransaction(async () => undefined, { dataSource: 'audit' })).rejects.toMatchObject({
    code: 'UNKNOWN_DATA_SOURCE',
  });
});

test('a method over two data sources: each writes down its own steps, and both end before any hook runs', async () => {
  const audit = recordTransactions({ dataSource: 'audit', answer: () => [] });
  try {
    await runInTransaction(
      async () => {
        await recorded.pool.query('INSERT order');
        await audit.pool.query('INSERT note');
        await runInTransaction(
          async () => afterCommit(() => expect(audit.steps.at(-1)?.step).toBe('commit')),
          {
            propagation: 'MANDATORY',
          },
        );
      },
      { dataSource: ['default', 'audit'], name: 'Orders.book' },
    );
    expect(names()).toEqual([
      'begin Orders.book',
      'INSERT order',
      'commit Orders.book',
      'after commit Orders.book',
    ]);
    expect(audit.steps.map(({ step }) => step)).toEqual(['begin', 'statement', 'commit']);
  } finally {
    audit.stop();
  }
});

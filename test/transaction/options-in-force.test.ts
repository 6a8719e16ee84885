import { currentTransaction, type IsolationLevel, runInTransaction, transactional } from 'holdfast';
import { useEntries } from './entries.js';

const entries = useEntries();
const isolation = (): Promise<string> => entries.setting('transaction_isolation');
const readOnly = (): Promise<string> => entries.setting('transaction_read_only');

describe('isolationLevel', () => {
  test.each<IsolationLevel>(['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])(
    '%s is what the server says',
    async (isolationLevel) => {
      expect(await runInTransaction(isolation, { isolationLevel })).toBe(isolationLevel.toLowerCase());
    },
  );

  test('without one it is the server’s default', async () => {
    expect(await runInTransaction(isolation)).toBe(await isolation());
  });

  test('it ends with the transaction', async () => {
    const before = await isolation();
    await runInTransaction(isolation, { isolationLevel: 'SERIALIZABLE' });
    expect(await isolation()).toBe(before);
    expect(entries.pool.totalCount).toBe(1);
  });

  test('REPEATABLE READ reads one snapshot', async () => {
    const count = async () => (await entries.pool.query('SELECT 1 FROM entry')).rowCount;
    await runInTransaction(
      async () => {
        expect(await count()).toBe(0);
        await entries.db.query("INSERT INTO entry (label) VALUES ('meanwhile')");
        expect(await count()).toBe(0);
      },
      { isolationLevel: 'REPEATABLE READ' },
    );
    expect(await count()).toBe(1);
  });
});

describe('readOnly', () => {
  test('is what the server says, beside an isolation level too', async () => {
    expect(await runInTransaction(readOnly)).toBe('off');
    expect(await runInTransaction(readOnly, { readOnly: true })).toBe('on');
    const both = async () => [await readOnly(), await isolation()];
    expect(await runInTransaction(both, { readOnly: true, isolationLevel: 'SERIALIZABLE' })).toEqual([
      'on',
      'serializable',
    ]);
  });

  test('a write is refused by the server', async () => {
    await expect(runInTransaction(() => entries.add('a'), { readOnly: true })).rejects.toMatchObject({
      code: '25006',
    });
    expect(await entries.committed()).toEqual([]);
  });
});

describe('joining', () => {
  interface Join {
    readonly outer: { isolationLevel?: IsolationLevel; readOnly?: boolean };
    readonly inner: { isolationLevel?: IsolationLevel; readOnly?: boolean };
    readonly code: 'joins' | 'ISOLATION_MISMATCH' | 'READ_ONLY_MISMATCH';
  }
  const joins: readonly Join[] = [
    { outer: {}, inner: {}, code: 'joins' },
    { outer: { isolationLevel: 'SERIALIZABLE' }, inner: {}, code: 'joins' },
    {
      outer: { isolationLevel: 'SERIALIZABLE' },
      inner: { isolationLevel: 'SERIALIZABLE' },
      code: 'joins',
    },
    {
      outer: { isolationLevel: 'SERIALIZABLE' },
      inner: { isolationLevel: 'READ COMMITTED' },
      code: 'ISOLATION_MISMATCH',
    },
    { outer: {}, inner: { isolationLevel: 'SERIALIZABLE' }, code: 'ISOLATION_MISMATCH' },
    { outer: {}, inner: { readOnly: true }, code: 'joins' },
    { outer: { readOnly: true }, inner: { readOnly: true }, code: 'joins' },
    { outer: { readOnly: true }, inner: {}, code: 'READ_ONLY_MISMATCH' },
  ];

  describe.each(['REQUIRED', 'NESTED', 'MANDATORY'] as const)('%s', (propagation) => {
    test.each(joins)('of $inner in $outer: $code', async ({ outer, inner, code }) => {
      const call = runInTransaction(
        () =>
          runInTransaction(async () => 'joins', { ...inner, propagation, name: 'Inner.run' }).catch(
            // A refusal names both methods.
            ({ code: refusal, message }: { code: string; message: string }) =>
              /"Inner\.run".*"Outer\.run"/.test(message) ? refusal : message,
          ),
        { ...outer, name: 'Outer.run' },
      );
      expect(await call).toBe(code);
    });
  });

  test('SUPPORTS takes what is there, a read-only transaction too', async () => {
    const call = runInTransaction(() => runInTransaction(readOnly, { propagation: 'SUPPORTS' }), {
      readOnly: true,
    });
    expect(await call).toBe('on');
  });
});

describe('name', () => {
  const nameIn = async (): Promise<string | undefined> => currentTransaction()?.name;

  test('of runInTransaction is the function’s, or says what it was', async () => {
    expect(await runInTransaction(nameIn)).toBe('nameIn');
    expect(await runInTransaction(() => nameIn())).toBe('runInTransaction');
    expect(await runInTransaction(nameIn, { name: 'nightly' })).toBe('nightly');
  });

  test('of transactional() is the function’s, or says what it was', async () => {
    expect(await transactional(nameIn)()).toBe('nameIn');
    expect(await transactional(() => nameIn())()).toBe('transactional function');
    expect(await transactional(nameIn, { name: 'nightly' })()).toBe('nightly');
  });

  test('is what a lease is held under', async () => {
    await runInTransaction(
      async () => {
        await entries.add('a');
        expect(entries.managed.leases()).toMatchObject([{ holder: 'nightly', kind: 'transaction' }]);
      },
      { name: 'nightly' },
    );
  });
});

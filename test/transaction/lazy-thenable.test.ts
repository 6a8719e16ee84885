import { runInTransaction, Transactional, transactional } from 'holdfast';
import { useEntries } from './entries.js';

const entries = useEntries();

/** As the query builders of Drizzle and Knex, and Prisma's calls: a promise that asks nothing before it is awaited. */
class LazyInsert implements PromiseLike<string> {
  constructor(private readonly label: string) {}

  // oxlint-disable-next-line unicorn/no-thenable -- being one is its point
  then<A = string, B = never>(
    resolve?: ((value: string) => A | PromiseLike<A>) | null,
    reject?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return entries
      .add(this.label)
      .then(() => this.label)
      .then(resolve, reject);
  }
}
const insert = (label: string): Promise<string> => new LazyInsert(label) as unknown as Promise<string>;

class Orders {
  @Transactional()
  place(label: string): Promise<string> {
    return insert(label);
  }
}

const nested = { propagation: 'NESTED' } as const;
const waysIn: Readonly<Record<string, (label: string) => Promise<string>>> = {
  'runInTransaction, plain': (label) => runInTransaction(() => insert(label)),
  'runInTransaction, async': (label) => runInTransaction(async () => insert(label)),
  'transactional()': transactional((label: string) => insert(label)),
  '@Transactional()': (label) => new Orders().place(label),
  'a nested call': (label) => runInTransaction(() => insert(label), nested),
};

test.each(Object.entries(waysIn))(
  'a lazy promise that %s returns runs in its transaction',
  async (_, place) => {
    const call = runInTransaction(async () => {
      expect(await place('a')).toBe('a');
      expect(await entries.committed()).toEqual([]);
      throw new Error('undo it');
    });
    await expect(call).rejects.toThrow('undo it');
    expect(await entries.committed()).toEqual([]);
  },
);

test.each(Object.entries(waysIn))('%s, outermost, surrounds the lazy promise', async (_, place) => {
  const begun: string[] = [];
  const stop = entries.managed.observe({ acquired: ({ kind }) => void begun.push(kind) });
  expect(await place('a')).toBe('a');
  stop();
  expect(begun).toEqual(['transaction']);
  expect(await entries.committed()).toEqual(['a']);
});

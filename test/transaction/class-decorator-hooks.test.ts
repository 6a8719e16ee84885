import {
  afterCommit,
  afterRollback,
  beforeCommit,
  runInTransaction,
  Transactional,
  type TransactionalDecorator,
} from 'holdfast';
import { useEntries } from './entries.js';

const entries = useEntries();
let events: string[];
let refused: Promise<unknown>;
beforeEach(() => (events = []));

/** Synchronous methods of a decorated class, which end before any statement can. */
@Transactional({ propagation: 'NESTED' })
class Outbox {
  register(): void {
    afterCommit(() => void events.push('commit'));
    afterRollback(() => void events.push('rollback'));
  }

  registerAndThrow(): never {
    this.register();
    throw new Error('no');
  }

  registerAndForget(): void {
    this.register();
    refused = entries.add('not awaited').catch((error: unknown) => error);
  }
}
const outbox = new Outbox();

test('hooks of a synchronous nested method wait for the COMMIT around it', async () => {
  await runInTransaction(async () => {
    outbox.register();
    await entries.add('a');
    expect(events).toEqual([]);
  });
  expect(events).toEqual(['commit']);
});

test('hooks of one that throws are told of the rollback, and its commit hooks are dropped', async () => {
  await runInTransaction(async () => {
    expect(() => outbox.registerAndThrow()).toThrow('no');
    await entries.add('a');
    expect(events).toEqual(['rollback']);
  });
  expect(events).toEqual(['rollback']);
});

test.each([
  ['inside a transaction', () => runInTransaction(async () => outbox.registerAndForget())],
  ['outside of one', async () => outbox.registerAndForget()],
])('a statement that it did not await is refused, and its commit hooks do not run: %s', async (_, run) => {
  await run();
  await expect(refused).resolves.toMatchObject({ code: 'TRANSACTION_CLOSED' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual(['rollback']);
  expect(await entries.committed()).toEqual([]);
});

describe('a before-commit hook of a synchronous method', () => {
  const announcing = (decorator: TransactionalDecorator) => {
    @decorator
    class Announcer {
      announce(): string {
        beforeCommit(async () => {
          await entries.add('announced');
          events.push('before');
        });
        afterCommit(() => void events.push('commit'));
        afterRollback(() => void events.push('rollback'));
        return 'later';
      }
    }
    return new Announcer();
  };
  const propagations = ['REQUIRED', 'NESTED'] as const;

  test.each(propagations)('%s, runs before the COMMIT around it', async (propagation) => {
    const announcer = announcing(Transactional({ propagation }));
    await runInTransaction(async () => {
      expect(announcer.announce()).toBe('later');
      expect(events).toEqual([]);
    });
    expect(events).toEqual(['before', 'commit']);
    expect(await entries.committed()).toEqual(['announced']);
  });

  test.each([...propagations, 'REQUIRES_NEW'] as const)(
    '%s, is refused where nobody could wait for it: outside a transaction',
    async (propagation) => {
      const announcer = announcing(Transactional({ propagation }));
      expect(() => announcer.announce()).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED_RETURN',
          message: expect.stringContaining(
            '"Announcer.announce" returned before its beforeCommit hook could run',
          ),
        }),
      );
      await new Promise((resolve) => setImmediate(resolve));
      expect(events).toEqual(['rollback']);
      expect(await entries.committed()).toEqual([]);
    },
  );
});

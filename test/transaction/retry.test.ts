import { runInTransaction } from 'holdfast';
import { useEntries } from './entries.js';
import { useLog } from './log.js';

const entries = useEntries();
const log = useLog();
const abort = (): Promise<unknown> => entries.pool.query("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$");
const fail = (): Promise<unknown> => entries.pool.query('SELECT 1/0');

/** How a method makes its own error of the database's. */
const wrappings: readonly (readonly [string, (work: Promise<unknown>) => Promise<unknown>])[] = [
  ['Promise.any and another failure', (work) => Promise.any([Promise.reject(new Error('first')), work])],
  [
    'an error whose code looks like a SQLSTATE',
    (work) =>
      work.catch((cause: unknown) => {
        throw Object.assign(new Error('wrapped', { cause }), { code: 'E1234' });
      }),
  ],
  [
    'an error whose code is a word of five letters',
    (work) =>
      work.catch((cause: unknown) => {
        throw Object.assign(new Error('wrapped', { cause }), { code: 'ABORT' });
      }),
  ],
];

describe.each(wrappings)('behind %s', (_, wrapped) => {
  const runs = async (work: () => Promise<unknown>): Promise<number> => {
    let count = 0;
    await runInTransaction(
      async () => {
        count++;
        await wrapped(work());
      },
      { retry: { attempts: 3, backoffMs: 1 } },
    ).catch(() => undefined);
    return count;
  };

  test('a serialization failure is found, and the method is run again', async () => {
    expect(await runs(abort)).toBe(3);
  });

  test('another failure is not', async () => {
    expect(await runs(fail)).toBe(1);
  });
});

test.each([
  ['the lower end', 0, [4, 8, 10, 10]],
  ['the middle', 0.5, [6, 12, 15, 15]],
  ['the upper end', 1, [8, 16, 20, 20]],
])('each pause is a random part of its upper half: %s', async (_, random, pauses) => {
  const chance = jest.spyOn(Math, 'random').mockReturnValue(random);
  const timers = jest.spyOn(globalThis, 'setTimeout');
  const call = runInTransaction(() => Promise.reject(new RangeError('again')), {
    retry: { attempts: 5, backoffMs: 8, maxBackoffMs: 20, on: () => true },
  });
  await expect(call).rejects.toThrow('again');
  const delays = timers.mock.calls.map(([, delayMs]) => delayMs);
  timers.mockRestore();
  chance.mockRestore();
  expect(delays).toEqual(pauses);
});

describe('what is logged of a real serialization failure', () => {
  /** Another transaction changes the row behind the snapshot of each attempt, as often as it is told to. */
  const compete = (times: number): Promise<void> => {
    let attempt = 0;
    return runInTransaction(
      async () => {
        await entries.pool.query('SELECT label FROM entry');
        if (++attempt <= times) await entries.db.query(`UPDATE entry SET label = label || 'x'`);
        await entries.pool.query('UPDATE entry SET label = $1', ['ours']);
      },
      { name: 'compete', isolationLevel: 'REPEATABLE READ', retry: { attempts: 3, backoffMs: 1 } },
    );
  };
  const error = expect.objectContaining({ code: '40001', message: 'serialization_failure' });
  const repeat = (attempt: number): unknown[] => [
    { transaction: 'compete', attempt, attempts: 3, delayMs: expect.any(Number), error },
    `holdfast: "compete" failed in attempt ${attempt} of 3 and is run again`,
  ];
  beforeEach(() => entries.add('free'));

  test('each repeat, when one of them succeeds', async () => {
    await compete(2);
    expect(await entries.committed()).toEqual(['ours']);
    expect(log).toEqual({ infos: [repeat(1), repeat(2)], warnings: [], errors: [] });
  });

  test('that no attempt is left; the caller gets the last error itself', async () => {
    const failure: unknown = await compete(3).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ name: 'error', code: '40001' });
    expect(log).toEqual({
      infos: [repeat(1), repeat(2)],
      warnings: [
        [
          { transaction: 'compete', attempt: 3, attempts: 3, error },
          'holdfast: "compete" failed in attempt 3 of 3 and is not run again; its caller gets this error',
        ],
      ],
      errors: [],
    });
  });

  test('nothing of another failure, nor of a call without `retry`', async () => {
    await runInTransaction(fail, { retry: {} }).catch(() => undefined);
    await runInTransaction(abort).catch(() => undefined);
    expect(log).toEqual({ infos: [], warnings: [], errors: [] });
  });
});

test('an `on` that answers a promise runs nothing again, and is logged', async () => {
  let runs = 0;
  const on = (): boolean => Promise.resolve(true) as unknown as boolean;
  const call = runInTransaction(
    async () => {
      runs++;
      await abort();
    },
    { retry: { backoffMs: 1, on } },
  );
  await expect(call).rejects.toMatchObject({ code: '40001' });
  expect(runs).toBe(1);
  expect(log.errors).toEqual([
    [
      { error: expect.objectContaining({ message: expect.stringContaining('answered a promise') }) },
      expect.stringContaining('the transaction is not run again'),
    ],
  ]);
});

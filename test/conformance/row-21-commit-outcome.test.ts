import { CommitFailedError, CommitOutcomeUnknownError } from 'holdfast';
import type { TransactionOptions } from 'holdfast';
import type { ArmedFault, FaultProxy } from '../harness/fault-proxy.js';
import { useDatabase } from '../harness/database.js';
import { useHandLimit } from '../transaction/hand-limit.js';
import { useLog } from '../transaction/log.js';
import { everyWay, expectCleanPool, labelsIn, until } from './ways-in.js';
import { useHookNotes } from './observing.js';
import type { Work } from './ways-in.js';

const db = useDatabase();
const log = useLog();
const limit = useHandLimit();
/** Retries whatever may be retried at all. */
const eager: TransactionOptions = { name: 'pay', retry: { attempts: 3, backoffMs: 1, on: () => true } };

let proxy: FaultProxy;
const { told, listen } = useHookNotes();
beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
});

const commits = (): number => proxy.texts.filter((text) => text === 'COMMIT').length;
const inserts = (): number => proxy.texts.filter((text) => text.startsWith('INSERT')).length;

describe.each(everyWay)('the connection drops at COMMIT: $name', ({ way, opening }) => {
  const start = (): Promise<Work> => way.start(db, { url: proxy.url(db.url) });

  test('after the server committed: settled, so the caller gets the result and the hooks run once', async () => {
    const work = await start();
    proxy.once(/^COMMIT$/, { action: 'cut-after' });
    const result = await opening.run(async () => {
      listen();
      await work.insert('paid');
      return 'receipt';
    }, eager);

    expect(result).toBe('receipt');
    expect(told).toEqual(['after commit', 'committed']);
    expect(await labelsIn(db)).toEqual(['paid']);
    expect([inserts(), commits()]).toEqual([1, 1]);
    expect(log.warnings.at(-1)![1]).toMatch(/lost during COMMIT of "pay"; outcome: committed$/);
    expect(work.pool.totalCount).toBe(0);
    await expectCleanPool(work.pool, db);
  });

  test('before it reached the server: CommitFailedError, retryable, and nothing is persisted', async () => {
    const work = await start();
    proxy.once(/^COMMIT$/, { action: 'cut-before' });
    const outcome = opening.run(
      async () => {
        listen();
        await work.insert('unpaid');
      },
      { name: 'pay' },
    );

    const error = (await outcome.catch((reason: unknown) => reason)) as Error;
    expect(error).toBeInstanceOf(CommitFailedError);
    expect(error).toMatchObject({ code: 'COMMIT_FAILED', retryable: true, cause: expect.any(Error) });
    expect(error.message).toMatch(
      /^The connection was lost while "pay" waited.*not committed; run it again/s,
    );
    expect(told).toEqual(['after rollback', 'rolled back']);
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('before it reached the server, with a retry that takes such errors: the second run is kept, once', async () => {
    const work = await start();
    proxy.once(/^COMMIT$/, { action: 'cut-before' });
    await opening.run(async () => {
      listen();
      await work.insert('paid');
    }, eager);

    expect(told).toEqual(['after rollback', 'rolled back', 'after commit', 'committed']);
    expect(await labelsIn(db)).toEqual(['paid']);
    await expectCleanPool(work.pool, db);
  });

  test('read-only, nothing was written: there is nothing that could be in doubt', async () => {
    const work = await start();
    const commit = proxy.once(/^COMMIT$/, { action: 'cut-before' });
    const labels = await opening.run(() => work.labels(), { ...eager, readOnly: true });

    expect(labels).toEqual([]);
    expect(commit.hits).toHaveLength(1);
    await expectCleanPool(work.pool, db);
  });
});

const boundary = everyWay.filter(({ way }) =>
  ['pool.query()', 'TypeORM repository', 'Prisma client'].includes(way.name),
);

describe.each(boundary)('the outcome cannot be learnt: $name', ({ way, opening }) => {
  test.each<[string, (commit: ArmedFault) => Promise<void>, string[]]>([
    ['the server committed', async () => undefined, ['paid']],
    ['the COMMIT never reached it', async () => undefined, []],
  ])('no new connection gets through, and %s', async (_, __, persisted) => {
    const work = await way.start(db, { url: proxy.url(db.url) });
    const action = persisted.length > 0 ? 'cut-after' : 'cut-before';
    const commit = proxy.once(/^COMMIT$/, { action });
    let txid = '';
    const outcome = opening.run(async () => {
      listen();
      await work.insert('paid');
      txid = await work.txid();
      await proxy.refuse();
    }, eager);

    const error = (await outcome.catch((reason: unknown) => reason)) as CommitOutcomeUnknownError;
    expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
    expect(error).toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
      retryable: false,
      transactionId: txid,
      cause: expect.any(Error),
    });
    expect(error.message).toContain(`"pay"`);
    expect(error.message).toContain(`SELECT pg_xact_status('${txid}')`);
    expect(error.message).toMatch(/may or may not be committed.*before you repeat anything/s);
    expect(told).toEqual(['unknown']);
    expect(commit.hits).toHaveLength(1);
    expect([inserts(), commits()]).toEqual([1, 1]);
    expect(await labelsIn(db)).toEqual(persisted);

    // What the message tells to do gives the answer.
    const [row] = await db.query<{ status: string }>('SELECT pg_xact_status($1::text::xid8) AS status', [
      txid,
    ]);
    expect(row!.status).toBe(persisted.length > 0 ? 'committed' : 'aborted');
    await proxy.heal();
    await work.insert('next');
    await expectCleanPool(work.pool, db);
  });

  test('settling does not wait in line for a pool that is full', async () => {
    const work = await way.start(db, { url: proxy.url(db.url), max: 1 });
    proxy.once(/^COMMIT$/, { action: 'cut-after' });
    let queueUp = (): void => undefined;
    const next = new Promise<void>((resolve) => (queueUp = resolve)).then(() => work.pool.connect());
    const settled = opening.run(async () => {
      await work.insert('paid');
      queueUp();
    }, eager);
    const client = await next;
    await settled;
    client.release();

    expect(await labelsIn(db)).toEqual(['paid']);
    await expectCleanPool(work.pool, db);
  });

  test('COMMIT vanishes in a network that answers nothing: timeoutMs ends the wait, as unknown', async () => {
    const work = await way.start(db, { url: proxy.url(db.url) });
    const commit = proxy.once(/^COMMIT$/, { action: 'black-hole' });
    const outcome = opening
      .run(
        async () => {
          listen();
          await work.insert('lost');
        },
        { ...eager, timeoutMs: limit.timeoutMs },
      )
      .catch((reason: unknown) => reason);
    await commit.fired;
    limit.pass();

    const error = (await outcome) as CommitOutcomeUnknownError;
    expect(error).toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
      retryable: false,
      transactionId: expect.stringMatching(/^\d+$/),
      cause: { code: 'TRANSACTION_TIMEOUT' },
    });
    expect(error.message).toMatch(/may or may not be committed.*pg_xact_status.*before you repeat/s);
    expect(error.message).not.toContain('rolled back');
    expect(told).toEqual(['unknown']);
    expect(work.pool.totalCount).toBe(0);
    await proxy.heal();
    await expectCleanPool(work.pool, db);
  });

  test('only a function that a SELECT called wrote, so the id was never asked for: unknown, and what to look for', async () => {
    const work = await way.start(db, { url: proxy.url(db.url) });
    await db.query(`
      CREATE FUNCTION add_entry(label text) RETURNS void LANGUAGE sql AS
        'INSERT INTO entry (label) VALUES ($1)'`);
    db.defer(() => db.query('DROP FUNCTION add_entry'));
    proxy.once(/^COMMIT$/, { action: 'cut-after' });
    const outcome = opening.run(() => work.query("SELECT add_entry('hidden')::text"), eager);

    const error = (await outcome.catch((reason: unknown) => reason)) as CommitOutcomeUnknownError;
    expect(error).toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
      retryable: false,
      transactionId: undefined,
    });
    expect(error.message).toMatch(/may or may not be committed.*look in the data itself.*before you repeat/s);
    await expectCleanPool(work.pool, db);
  });

  describe('the server still runs the COMMIT', () => {
    // A deferred trigger that waits for this lock is part of what COMMIT does.
    beforeEach(() =>
      db.query(`
        CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_advisory_xact_lock(99); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON account DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION wait_at_commit();`),
    );
    afterEach(() => db.query('DROP TRIGGER late ON account; DROP FUNCTION wait_at_commit()'));

    /** Ends the connection while COMMIT waits for the lock. */
    async function cutDuringCommit(
      cut: () => Promise<unknown> = () => proxy.cut(),
      options = eager,
    ): Promise<{ outcome: Promise<unknown>; letGo(): Promise<unknown> }> {
      const work = await way.start(db, { url: proxy.url(db.url) });
      const holder = await db.client();
      await holder.query('SELECT pg_advisory_lock(99)');
      const outcome = opening.run(async () => {
        listen();
        await work.query("INSERT INTO account (owner) VALUES ('ada')");
        return 'paid';
      }, options);
      outcome.catch(() => undefined);
      await until('COMMIT to wait', async () => {
        const sessions = await db.query(
          "SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'advisory' AND datname = current_database()",
        );
        return sessions.length === 1;
      });
      await cut();
      return { outcome, letGo: () => holder.query('SELECT pg_advisory_unlock_all()') };
    }

    test('for a moment: asked again until it has ended, and settled', async () => {
      const { outcome, letGo } = await cutDuringCommit();
      const asked = (): number => proxy.texts.filter((text) => text.includes('pg_xact_status')).length;
      await until('it to be asked again', () => asked() > 1);
      await letGo();

      expect(await outcome).toBe('paid');
      expect(told).toEqual(['after commit', 'committed']);
      expect(await db.query('SELECT owner FROM account')).toEqual([{ owner: 'ada' }]);
    });

    test('and ends the session instead of an answer: it is asked as well, and says that nothing is committed', async () => {
      const terminate = (): Promise<unknown> =>
        db.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()",
        );
      const { outcome, letGo } = await cutDuringCommit(terminate, { name: 'pay' });

      await expect(outcome).rejects.toMatchObject({
        code: 'COMMIT_FAILED',
        retryable: true,
        cause: expect.objectContaining({ code: '57P01' }) as unknown,
      });
      expect(told).toEqual(['after rollback', 'rolled back']);
      expect(await db.query('SELECT owner FROM account')).toEqual([]);
      await letGo();
    });

    test('for longer than it is worth waiting: unknown, not a guess', async () => {
      const { outcome, letGo } = await cutDuringCommit();

      await expect(outcome).rejects.toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN', retryable: false });
      expect(told).toEqual(['unknown']);
      await letGo();
      await until('the late COMMIT', async () => (await db.query('SELECT 1 FROM account')).length === 1);
    });
  });
});

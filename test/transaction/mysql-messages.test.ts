import { runInTransaction } from 'holdfast';
import { startMysqlPool } from '../conformance/mysql-pools.js';
import { failureOf } from '../conformance/observing.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { useHandLimit } from './hand-limit.js';
import { useLog } from './log.js';

const db = useMysqlDatabase();
useLog();
const limit = useHandLimit();

test('allowImplicitCommit of a call that joins a transaction without it: refused, for the outermost call needs it', async () => {
  const { pool } = startMysqlPool(db);
  const inner = () =>
    runInTransaction(() => pool.query("ALTER TABLE entry COMMENT = 'changed'"), {
      allowImplicitCommit: true,
    });
  expect(await failureOf(runInTransaction(inner, { name: 'Shop.move' }))).toMatchObject({
    code: 'TRANSACTION_CONTROL',
    message: expect.stringMatching(
      /allowImplicitCommit: true of "Shop\.move", the outermost call, lets it .* that of a call inside it does nothing\.$/,
    ),
  });
});

test('a COMMIT that gets no answer: the driver’s words end with one full stop', async () => {
  const proxy = await db.proxy();
  const { pool } = startMysqlPool(db, { url: proxy.url(db.url) });
  proxy.once(/^COMMIT$/, { action: 'cut-before' });
  const error = await failureOf(runInTransaction(() => pool.query("INSERT INTO entry (label) VALUES ('a')")));
  expect(error).toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' });
  expect(error.message).toMatch(/closed the connection\. It may/);
});

test('a COMMIT that gets no answer in time: nothing is promised that MySQL cannot do', async () => {
  const proxy = await db.proxy();
  const { pool } = startMysqlPool(db, { url: proxy.url(db.url) });
  const commit = proxy.once(/^COMMIT$/, { action: 'hold' });
  const failure = failureOf(
    runInTransaction(() => pool.query("INSERT INTO entry (label) VALUES ('a')"), {
      timeoutMs: limit.timeoutMs,
    }),
  );
  await commit.fired;
  limit.pass();
  const error = await failure;
  commit.release();
  expect(error).toMatchObject({
    code: 'COMMIT_OUTCOME_UNKNOWN',
    message: expect.stringContaining('MySQL cannot be asked'),
    cause: { message: expect.stringMatching(/COMMIT was on its way by then and cannot be taken back\.$/) },
  });
});

import { runInTransaction } from 'holdfast';
import { currentFrame } from '../../src/connection/context.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { keptByYoungCollector } from './collect-garbage.js';
import { drivers } from './driver-pools.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

// A function that is assigned to a property where it is written is old from birth, and so is all that it refers to:
// each transaction was there until the next full collection, at a sixth of its processor time.
test.each(drivers)('$name: a transaction that is over is gone with the young objects', async ({ start }) => {
  const { query } = start({ pg, mysql });
  const kept = await keptByYoungCollector(100, (load) =>
    runInTransaction(async () => {
      Object.assign(currentFrame()!.scope!.transaction, { load });
      await query('SELECT 1');
      await query('SELECT 2');
    }),
  );
  // Where something keeps them, it is nearly all of the hundred; a few are in use when the collector comes by.
  expect(kept).toBeLessThan(50);
});

test.each(drivers)('$name: a client that is released is gone with the young objects', async ({ start }) => {
  const { connect } = start({ pg, mysql });
  const kept = await keptByYoungCollector(100, async (load) => {
    const client = await connect();
    Object.assign(client, { load });
    await client.query('SELECT 1');
    client.release();
  });
  expect(kept).toBeLessThan(50);
});

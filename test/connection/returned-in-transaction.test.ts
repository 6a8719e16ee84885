import { setImmediate } from 'node:timers/promises';
import { LeaseReclaimedError } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { drivers } from './driver-pools.js';
import { LeaseLog } from './lease-log.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

describe.each(drivers)('$name', (driver) => {
  test.each<[way: string, before: readonly string[], unawaited: string | undefined, inTransaction: boolean]>([
    ['outside a transaction', ['SELECT 1'], undefined, false],
    ['inside a transaction', ['START TRANSACTION', 'SELECT 1'], undefined, true],
    ['after its COMMIT', ['START TRANSACTION', 'SELECT 1', 'COMMIT'], undefined, false],
    ['while its ROLLBACK is on its way', ['START TRANSACTION', 'SELECT 1'], 'ROLLBACK', false],
  ])('released %s', async (_, before, unawaited, inTransaction) => {
    const { managed, connect, query } = driver.start({ pg, mysql });
    const log = new LeaseLog(managed);
    const client = await connect();
    for (const sql of before) await client.query(sql);
    const last = unawaited && client.query(unawaited);
    client.release();
    await last;
    // A connection of mysql2 would show what is open on it to its next holder.
    const closes = driver.name.startsWith('mysql2') && before.at(-1) === 'SELECT 1' && before.length > 1;
    expect(log.lines).toEqual(['acquired client', `${closes ? 'destroyed' : 'returned'} client`]);
    expect(log.events.at(-1)!.end).toEqual({ inTransaction });
    while (managed.counts().inUse > 0) await setImmediate();
    // pg-pool lends it on as it is.
    if (managed.counts().total > 0) await query('ROLLBACK');
  });

  test('reclaimed inside a transaction: that was not its holder', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const log = new LeaseLog(managed);
    const client = await connect();
    await client.query('START TRANSACTION');
    await managed.reclaim(managed.leases()[0]!, new LeaseReclaimedError('a leak'));
    expect(log.lines).toEqual(['acquired client', 'destroyed client']);
    expect(log.events.at(-1)!.end).toEqual({ inTransaction: false });
  });
});

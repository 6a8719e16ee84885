import { afterCommit, afterRollback } from 'holdfast';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { failureOf } from './observing.js';
import {
  everyMysqlWay,
  expectCleanMysqlPool,
  mysqlConformanceSchema,
  mysqlLabelsIn,
  useMysqlWork,
} from './mysql-ways-in.js';
import { commit, rollback, start, subscribe } from './recording-subscriber.js';
import { useWitness } from './witness.js';

const db = useMysqlDatabase(mysqlConformanceSchema);
const witness = useWitness();
const typeormWays = everyMysqlWay.filter(({ way }) => way.orm === 'typeorm');
const broken = new Error('the subscriber broke');
const boom = new Error('of the method');

describe.each(typeormWays)('$name', ({ way, opening }) => {
  const work = useMysqlWork(db, way, { max: 1 });

  test('subscribers hear of the real boundary once, whatever happens inside', async () => {
    const subscriber = subscribe(work);
    await opening.run(async () => {
      await work.insert('a');
      await work.dataSource!.transaction((manager) =>
        manager.query("INSERT INTO entry (label) VALUES ('b')"),
      );
    });
    expect(subscriber.heard).toEqual([...start, ...commit]);
    expect(await mysqlLabelsIn(db)).toEqual(['a', 'b']);
    await expectCleanMysqlPool(work, db);
  });

  test('row 18: one that throws in beforeTransactionRollback: rolled back all the same', async () => {
    const subscriber = subscribe(work);
    subscriber.react.beforeTransactionRollback = () => Promise.reject(broken);
    const called = opening.run(async () => {
      await work.insert('gone');
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(subscriber.heard).toEqual([...start, ...rollback]);
    expect(await mysqlLabelsIn(db)).toEqual([]);
    expect(witness.messages).toHaveLength(1);
    await expectCleanMysqlPool(work, db);
    await work.insert('next');
    expect(await mysqlLabelsIn(db)).toEqual(['next']);
  });

  test('row 19: one that throws in afterTransactionCommit: the caller is told "committed"', async () => {
    const subscriber = subscribe(work);
    subscriber.react.afterTransactionCommit = () => Promise.reject(broken);
    const told: string[] = [];
    const result = await opening.run(async () => {
      afterCommit(() => told.push('after commit'));
      afterRollback(() => told.push('after rollback'));
      await work.insert('kept');
      return 'result';
    });
    expect(result).toBe('result');
    expect(told).toEqual(['after commit']);
    expect(await mysqlLabelsIn(db)).toEqual(['kept']);
    await expectCleanMysqlPool(work, db);
  });
});

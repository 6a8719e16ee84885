import 'reflect-metadata';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../harness/database.js';

@Entity('entry')
class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}
const db = useDatabase();
let ds: DataSource;
beforeEach(async () => {
  ds = await new DataSource({ type: 'postgres', url: db.url, entities: [Entry], poolSize: 4 }).initialize();
  manageDataSource(ds);
});
afterEach(async () => {
  await ds.destroy();
  await db.truncate();
});
const labels = async () => (await db.query('SELECT label FROM entry ORDER BY id')).map((r: any) => r.label);
test('all join', async () => {
  const repo = ds.getRepository(Entry);
  await runInTransaction(async () => {
    await repo.save({ label: 'a' });
    await ds.query("INSERT INTO entry(label) VALUES ('b')");
    await ds.manager.insert(Entry, { label: 'c' });
    await ds.transaction(async (m) => {
      await m.save(Entry, { label: 'd' });
      await repo.save({ label: 'd2' });
    });
    await ds.transaction(async (m) => {
      await m.save(Entry, { label: 'e' });
      throw new Error('x');
    }).catch(() => {});
    const qr = ds.createQueryRunner();
    await qr.connect();
    await qr.startTransaction();
    await qr.manager.save(Entry, { label: 'f' });
    await qr.rollbackTransaction();
    await qr.startTransaction();
    await qr.manager.save(Entry, { label: 'g' });
    await qr.commitTransaction();
    await qr.release();
    expect(await labels()).toEqual([]);
  });
  expect(await labels()).toEqual(['a', 'b', 'c', 'd', 'd2', 'g']);
  await expect(runInTransaction(async () => { await repo.save({ label: 'n' }); throw new Error('q'); })).rejects.toThrow('q');
  expect(await labels()).toHaveLength(6);
});

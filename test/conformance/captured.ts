import 'reflect-metadata';
import type { QueryResultRow } from 'pg';
import { Column, type DataSource, Entity, type EntityManager, PrimaryGeneratedColumn } from 'typeorm';

@Entity('entry')
export class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}

/** Something that was taken at one time (a client, a manager, a QueryRunner) and is used at another. */
export interface Captured {
  insert(label: string): Promise<void>;
  query<Row = QueryResultRow>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Gives it back, where it has to be. */
  release(): Promise<void>;
}

export type Borrow = () => Promise<Captured>;

/** What can be done through any way in, of whichever database. */
export interface CommonWork extends Omit<Captured, 'release'> {
  /** Inserts NULL for a label: rejects with the server's error, inside the way's own wrapping of it. */
  fail(): Promise<void>;
  /** What this way sees, in order of insertion. */
  labels(): Promise<string[]>;
  capture(): Promise<Captured>;
}

/** Work whose every call takes something anew, and gives it back. */
export function workOf(borrow: Borrow): CommonWork {
  const once = async <T>(use: (handle: Captured) => Promise<T>): Promise<T> => {
    const handle = await borrow();
    try {
      return await use(handle);
    } finally {
      await handle.release();
    }
  };
  const query = <Row>(sql: string, params?: unknown[]): Promise<Row[]> =>
    once((handle) => handle.query<Row>(sql, params));
  return {
    capture: borrow,
    query,
    insert: (label) => once((handle) => handle.insert(label)),
    fail: () => once((handle) => handle.insert(null as unknown as string)),
    async labels() {
      const rows = await query<{ label: string }>('SELECT label FROM entry ORDER BY id');
      return rows.map(({ label }) => label);
    },
  };
}

export const throughManager = (
  manager: Pick<EntityManager, 'insert' | 'query'>,
  release: () => Promise<void> = async () => undefined,
): Captured => ({
  async insert(label) {
    await manager.insert(Entry, { label });
  },
  query: (sql, params) => manager.query(sql, params),
  release,
});

/** TypeORM's ways in, which are the same on every database. */
export const typeormBorrowers: Readonly<Record<string, (dataSource: DataSource) => Borrow>> = {
  repository(dataSource) {
    const repository = dataSource.getRepository(Entry);
    return async () => ({
      async insert(label) {
        await repository.save({ label });
      },
      query: (sql, params) => repository.query(sql, params),
      release: async () => undefined,
    });
  },
  EntityManager({ manager }) {
    return async () => throughManager(manager);
  },
  'createQueryRunner()': (dataSource) => async () => {
    const runner = dataSource.createQueryRunner();
    await runner.connect();
    return throughManager(runner.manager, () => runner.release());
  },
};

import 'reflect-metadata';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type * as ours from 'holdfast/typeorm-transactional';
import type * as theirs from 'typeorm-transactional';
import { type TestDatabase, useDatabase } from '../harness/database.js';

/** What both packages export, as an application sees it: the names of the enums' members, not whose enum it is. */
export type Api = typeof ours;

/** typeorm-transactional in the place of ours: the types differ in whose enums they are, and in nothing else. */
export function inPlaceOfOurs(api: typeof theirs): Api {
  return api as unknown as Api;
}

@Entity('post')
export class Post {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') message!: string;
  @Column('text', { nullable: true, unique: true }) slug!: string | null;
}

/** A repository class as applications write it. */
export class PostRepository extends Repository<Post> {
  constructor(dataSource: DataSource) {
    super(Post, dataSource.createEntityManager());
  }

  saveSlug(slug: string): Promise<Post> {
    return this.save({ message: 'of the class', slug });
  }
}

export const extended = (repository: Repository<Post>) =>
  repository.extend({
    saveSlug(this: Repository<Post>, slug: string): Promise<Post> {
      return this.save({ message: 'of extend()', slug });
    },
  });

export const schema = `
  CREATE TABLE post (
    id      serial PRIMARY KEY,
    message text   NOT NULL,
    slug    text   UNIQUE
  );
`;

export const READ_ASSIGNED = 'SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS assigned';

/** A database with one data source, added before its initialisation as in Nest, and one that is added without `patch`. */
export interface World {
  readonly api: Api;
  readonly db: TestDatabase;
  readonly dataSource: DataSource;
  readonly unpatched: DataSource;
  readonly posts: Repository<Post>;
  /** What an observer outside every transaction sees. */
  committed(): Promise<string[]>;
  /** A data source on the same database that nobody knows of yet; destroyed after the test. */
  another(): DataSource;
  /** Hooks of typeorm-transactional run after the call has resolved; here they have run. */
  hooksOver(): Promise<void>;
}

export function useWorld(api: Api, storageDriver: keyof typeof ours.StorageDriver): World {
  const db = useDatabase({ schema });
  let dataSources: DataSource[] = [];
  const another = (): DataSource => {
    const dataSource = new DataSource({ type: 'postgres', url: db.url, entities: [Post], poolSize: 5 });
    dataSources.push(dataSource);
    return dataSource;
  };
  let main: { dataSource: DataSource; unpatched: DataSource; posts: Repository<Post> };
  beforeAll(() => api.initializeTransactionalContext({ storageDriver: api.StorageDriver[storageDriver] }));
  beforeEach(async () => {
    const dataSource = api.addTransactionalDataSource(another());
    const unpatched = api.addTransactionalDataSource({
      name: 'unpatched',
      dataSource: another(),
      patch: false,
    });
    await dataSource.initialize();
    await unpatched.initialize();
    main = { dataSource, unpatched, posts: dataSource.getRepository(Post) };
  });
  afterEach(async () => {
    for (const name of ['default', 'unpatched', 'other']) api.deleteDataSourceByName(name);
    for (const dataSource of dataSources) if (dataSource.isInitialized) await dataSource.destroy();
    dataSources = [];
    await db.truncate();
  });
  return {
    api,
    db,
    another,
    get dataSource() {
      return main.dataSource;
    },
    get unpatched() {
      return main.unpatched;
    },
    get posts() {
      return main.posts;
    },
    async committed() {
      const rows = await db.query<{ message: string }>('SELECT message FROM post ORDER BY id');
      return rows.map(({ message }) => message);
    },
    async hooksOver() {
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

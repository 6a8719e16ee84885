import { type Connect, inAsyncLocalStorage, type OpenVariant } from './open-variant.js';
import {
  openPrismaByHand,
  openPrismaNestjsCls,
  openPrismaOurs,
  openPrismaTransaction,
} from './prisma-variants.js';
import { openRawByHand, openRawOurs } from './raw-variants.js';
import {
  openDataSourceTransaction,
  openNestjsCls,
  openQueryRunner,
  openTypeormOurs,
  openTypeormTransactional,
} from './typeorm-variants.js';

export const LINKS = ['loopback', 'delayed'] as const;
export type Link = (typeof LINKS)[number];

/** Variants that are measured against one another, in turns. */
export interface Comparison {
  readonly title: string;
  readonly database: 'postgres' | 'mysql';
  /** The variant that the throughput of the others is divided by. */
  readonly baseline: string;
  /** What the issue tracker asks of ours, as a share of the baseline's throughput. */
  readonly target: Readonly<Record<Link, number>>;
  /** The target holds from this concurrency on. */
  readonly targetFrom: number;
  /** How many transactions run at once, unless the command line says. */
  readonly concurrency: readonly number[];
}

export const COMPARISONS = {
  raw: {
    title: 'raw pg',
    database: 'postgres',
    baseline: 'raw-by-hand',
    target: { loopback: 1, delayed: 1.25 },
    targetFrom: 1,
    concurrency: [1, 32],
  },
  typeorm: {
    title: 'TypeORM on PostgreSQL',
    database: 'postgres',
    baseline: 'query-runner',
    target: { loopback: 0.97, delayed: 1.2 },
    targetFrom: 1,
    concurrency: [1, 32],
  },
  prisma: {
    title: 'Prisma on PostgreSQL',
    database: 'postgres',
    baseline: 'prisma-transaction',
    target: { loopback: 1.4, delayed: 1.4 },
    targetFrom: 16,
    concurrency: [1, 16, 32],
  },
  mysql: {
    title: 'TypeORM on MariaDB, through mysql2',
    database: 'mysql',
    baseline: 'mysql-query-runner',
    target: { loopback: 0.97, delayed: 0.97 },
    targetFrom: 1,
    concurrency: [1, 16, 32],
  },
} as const satisfies Record<string, Comparison>;
export type ComparisonId = keyof typeof COMPARISONS;

export interface Variant {
  readonly title: string;
  readonly comparison: ComparisonId;
  /** Whether it is holdfast as it is now; `before` is holdfast as it was at another revision. */
  readonly holdfast?: 'now' | 'before';
  open(connect: Connect): Promise<OpenVariant>;
}

/** Each variant is opened in a process of its own: some of them change what the others stand on. */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  'raw-by-hand': { title: 'raw pg by hand', comparison: 'raw', open: openRawByHand },
  'raw-control': { title: 'raw pg by hand, once more', comparison: 'raw', open: openRawByHand },
  'raw-in-als': {
    title: 'raw pg by hand, in an AsyncLocalStorage',
    comparison: 'raw',
    open: (connect) => inAsyncLocalStorage(openRawByHand(connect)),
  },
  ...holdfast('raw', { title: 'holdfast, raw pg', open: openRawOurs }),

  'query-runner': { title: 'QueryRunner by hand', comparison: 'typeorm', open: openQueryRunner },
  'query-runner-control': {
    title: 'QueryRunner by hand, once more',
    comparison: 'typeorm',
    open: openQueryRunner,
  },
  'query-runner-in-als': {
    title: 'QueryRunner by hand, in an AsyncLocalStorage',
    comparison: 'typeorm',
    open: (connect) => inAsyncLocalStorage(openQueryRunner(connect)),
  },
  'data-source-transaction': {
    title: 'dataSource.transaction',
    comparison: 'typeorm',
    open: openDataSourceTransaction,
  },
  'typeorm-transactional-cls': {
    title: 'typeorm-transactional (default, cls-hooked)',
    comparison: 'typeorm',
    open: (connect) => openTypeormTransactional(connect, 'CLS_HOOKED'),
  },
  'typeorm-transactional-als': {
    title: 'typeorm-transactional (AsyncLocalStorage)',
    comparison: 'typeorm',
    open: (connect) => openTypeormTransactional(connect, 'ASYNC_LOCAL_STORAGE'),
  },
  'nestjs-cls': { title: 'nestjs-cls + TypeORM', comparison: 'typeorm', open: openNestjsCls },
  ...holdfast('typeorm', { title: 'holdfast, TypeORM', open: openTypeormOurs }),

  'prisma-transaction': {
    title: 'Prisma $transaction',
    comparison: 'prisma',
    open: openPrismaTransaction,
  },
  'prisma-control': {
    title: 'Prisma $transaction, once more',
    comparison: 'prisma',
    open: openPrismaTransaction,
  },
  'prisma-by-hand': {
    title: 'BEGIN and COMMIT by hand, a client for each connection',
    comparison: 'prisma',
    open: openPrismaByHand,
  },
  'prisma-by-hand-in-als': {
    title: 'the same, in an AsyncLocalStorage',
    comparison: 'prisma',
    open: (connect) => inAsyncLocalStorage(openPrismaByHand(connect)),
  },
  'prisma-nestjs-cls': { title: 'nestjs-cls + Prisma', comparison: 'prisma', open: openPrismaNestjsCls },
  ...holdfast('prisma', { title: 'holdfast, Prisma', open: openPrismaOurs }),

  'mysql-query-runner': { title: 'QueryRunner by hand', comparison: 'mysql', open: openQueryRunner },
  'mysql-control': { title: 'QueryRunner by hand, once more', comparison: 'mysql', open: openQueryRunner },
  'mysql-in-als': {
    title: 'QueryRunner by hand, in an AsyncLocalStorage',
    comparison: 'mysql',
    open: (connect) => inAsyncLocalStorage(openQueryRunner(connect)),
  },
  'mysql-data-source-transaction': {
    title: 'dataSource.transaction',
    comparison: 'mysql',
    open: openDataSourceTransaction,
  },
  'mysql-nestjs-cls': { title: 'nestjs-cls + TypeORM', comparison: 'mysql', open: openNestjsCls },
  ...holdfast('mysql', { title: 'holdfast, TypeORM', open: openTypeormOurs }),
};

/** holdfast as it is, and as it was at the revision of `--before`. */
function holdfast(
  comparison: ComparisonId,
  { title, open }: { title: string; open(connect: Connect, library: string): Promise<OpenVariant> },
): Record<string, Variant> {
  return {
    [`${comparison}-ours`]: {
      title,
      comparison,
      holdfast: 'now',
      open: (connect) => open(connect, 'holdfast'),
    },
    [`${comparison}-before`]: {
      title: title.replace('holdfast', 'holdfast before'),
      comparison,
      holdfast: 'before',
      open: (connect) => open(connect, 'holdfast-before'),
    },
  };
}

import type { EntitySubscriberInterface, InsertEvent, QueryRunner } from 'typeorm';
import type { Work } from './ways-in.js';

export const transactionEvents = [
  'beforeTransactionStart',
  'afterTransactionStart',
  'beforeTransactionCommit',
  'afterTransactionCommit',
  'beforeTransactionRollback',
  'afterTransactionRollback',
] as const;

export type TransactionEventName = (typeof transactionEvents)[number];

/** What a subscriber is given of a transaction's boundary. */
export interface Boundary {
  readonly queryRunner: QueryRunner;
}

/** A subscriber that writes down what it hears, and does at one event what the test wants. */
export class RecordingSubscriber implements EntitySubscriberInterface {
  readonly heard: string[] = [];
  readonly runners = new Set<QueryRunner>();
  react: Partial<Record<TransactionEventName, (event: Boundary) => unknown>> = {};
  onInsert: (event: InsertEvent<unknown>) => unknown = () => undefined;

  afterInsert(event: InsertEvent<unknown>): Promise<unknown> | undefined {
    return this.onInsert(event) as Promise<unknown> | undefined;
  }
  beforeTransactionStart(event: Boundary): Promise<unknown> | undefined {
    return this.hear('beforeTransactionStart', event);
  }
  afterTransactionStart(event: Boundary): Promise<unknown> | undefined {
    return this.hear('afterTransactionStart', event);
  }
  beforeTransactionCommit(event: Boundary): Promise<unknown> | undefined {
    return this.hear('beforeTransactionCommit', event);
  }
  afterTransactionCommit(event: Boundary): Promise<unknown> | undefined {
    return this.hear('afterTransactionCommit', event);
  }
  beforeTransactionRollback(event: Boundary): Promise<unknown> | undefined {
    return this.hear('beforeTransactionRollback', event);
  }
  afterTransactionRollback(event: Boundary): Promise<unknown> | undefined {
    return this.hear('afterTransactionRollback', event);
  }

  private hear(name: TransactionEventName, event: Boundary): Promise<unknown> | undefined {
    this.heard.push(name);
    this.runners.add(event.queryRunner);
    return this.react[name]?.(event) as Promise<unknown> | undefined;
  }
}

/** Subscribes for the rest of the test's data source. */
export function subscribe(work: Pick<Work, 'dataSource'>): RecordingSubscriber {
  const subscriber = new RecordingSubscriber();
  work.dataSource!.subscribers.push(subscriber);
  return subscriber;
}

export const start: readonly TransactionEventName[] = ['beforeTransactionStart', 'afterTransactionStart'];
export const commit: readonly TransactionEventName[] = ['beforeTransactionCommit', 'afterTransactionCommit'];
export const rollback: readonly TransactionEventName[] = [
  'beforeTransactionRollback',
  'afterTransactionRollback',
];

import type { DataSource } from 'typeorm';
import { processGlobal } from '../core/index.js';
import type { TransactionalContext } from './context.js';
import type { StorageDriver } from './enums.js';

/** A data source that was added under a name. */
export interface AddedDataSource {
  readonly dataSource: DataSource;
  /** False while it has no pool to manage. */
  managed: boolean;
  /** While its `initialize()` runs. */
  isInitialising: boolean;
  /** Whether another one was added under its name since. */
  isDisplaced: boolean;
}

interface State {
  /** The context and where it is kept, once one is in use. */
  context: { readonly kept: StorageDriver; readonly values: TransactionalContext } | undefined;
  maxHookHandlers: number;
  readonly dataSources: Map<string, AddedDataSource>;
  stopFinding: (() => void) | undefined;
}

/** What `initializeTransactionalContext` and `addTransactionalDataSource` leave behind, for both copies of the package. */
export const state = processGlobal<State>('holdfast.typeorm-transactional/1', () => ({
  context: undefined,
  maxHookHandlers: 10,
  dataSources: new Map(),
  stopFinding: undefined,
}));

import type { DataSource } from 'typeorm';
import * as ours from 'holdfast/typeorm-transactional';
import * as theirs from 'typeorm-transactional';

/**
 * Their declarations with our enums in the place of theirs: TypeScript tells two enums apart by where they are
 * declared, whatever their members, and an application uses those of one package only.
 */
interface Expected {
  initializeTransactionalContext(
    options?: Partial<
      Omit<NonNullable<Parameters<typeof theirs.initializeTransactionalContext>[0]>, 'storageDriver'> & {
        storageDriver: ours.StorageDriver;
      }
    >,
  ): ReturnType<typeof theirs.initializeTransactionalContext>;
  addTransactionalDataSource: typeof theirs.addTransactionalDataSource;
  getDataSourceByName: typeof theirs.getDataSourceByName;
  deleteDataSourceByName: typeof theirs.deleteDataSourceByName;
  runOnTransactionCommit: typeof theirs.runOnTransactionCommit;
  runOnTransactionRollback: typeof theirs.runOnTransactionRollback;
  runOnTransactionComplete: typeof theirs.runOnTransactionComplete;
  Transactional(options?: Options): ReturnType<typeof theirs.Transactional>;
  runInTransaction: <Func extends (this: unknown) => ReturnType<Func>>(
    fn: Func,
    options?: Options,
  ) => ReturnType<Func>;
  // oxlint-disable-next-line typescript/no-explicit-any -- as they declare it
  wrapInTransaction: <Fn extends (this: any, ...args: any[]) => ReturnType<Fn>>(
    fn: Fn,
    options?: Options,
  ) => Fn;
  TransactionalError: typeof theirs.TransactionalError;
}

type Options = Omit<theirs.WrapInTransactionOptions, 'propagation' | 'isolationLevel'> & {
  propagation?: ours.Propagation;
  isolationLevel?: ours.IsolationLevel;
};

test('each export is assignable to the declaration of typeorm-transactional (checked by the compiler)', () => {
  const exported: Expected = ours;
  const options: ours.WrapInTransactionOptions = {} as Options;
  const theirOptions: Options = {} as ours.WrapInTransactionOptions;
  expect([exported, options, theirOptions]).toBeDefined();
});

test('the parameters of a function that is wrapped in place need no annotation', () => {
  const wrapped = ours.wrapInTransaction(async (dataSource) => (dataSource as DataSource).isInitialized);
  expect(wrapped).toBeInstanceOf(Function);
});

test('everything that typeorm-transactional exports is exported, and getTransactionalContext() of its main branch', () => {
  expect(Object.keys(ours).sort()).toEqual([...Object.keys(theirs), 'getTransactionalContext'].sort());
});

test('the enums have the same members', () => {
  expect(ours.Propagation).toEqual(theirs.Propagation);
  expect(ours.IsolationLevel).toEqual(theirs.IsolationLevel);
  expect(ours.StorageDriver).toEqual(theirs.StorageDriver);
});

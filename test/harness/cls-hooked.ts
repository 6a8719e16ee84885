import { initializeTransactionalContext, StorageDriver } from 'holdfast/typeorm-transactional';

// For a suite that runs once more with holdfast's context in a namespace of cls-hooked: through each ORM, or through
// everything with HOLDFAST_TEST_WAYS=all.
process.env['HOLDFAST_TEST_WAYS'] ??= 'few';
initializeTransactionalContext({ storageDriver: StorageDriver.CLS_HOOKED });

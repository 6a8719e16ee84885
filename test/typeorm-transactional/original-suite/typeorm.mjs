import { DataSource as TypeormDataSource } from '../../../node_modules/typeorm/index.mjs';

export * from '../../../node_modules/typeorm/index.mjs';

/** Connects to the database of our test, wherever the tests of typeorm-transactional expect theirs. */
export class DataSource extends TypeormDataSource {
  constructor({ entities, synchronize }) {
    super({ type: 'postgres', url: process.env.ORIGINAL_SUITE_URL, entities, synchronize });
  }
}

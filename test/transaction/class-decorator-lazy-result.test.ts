import { Readable } from 'node:stream';
import type { Pool } from 'pg';
import { of } from 'rxjs';
import { managePool, runInTransaction, Transactional, unmanagePool } from 'holdfast';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();
let pool: Pool;

beforeEach(() => {
  pool = db.pool({ max: 2 });
  const managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
});

@Transactional()
class Feed {
  observable(): unknown {
    return of(1);
  }
  stream(): unknown {
    return Readable.from([1]);
  }
  async *rows(): AsyncGenerator<number> {
    yield 1;
  }
  plain(): unknown {
    return [1];
  }
}

const surroundings = [
  ['without a transaction', (work: () => unknown) => Promise.resolve().then(work)],
  ['inside a transaction', (work: () => unknown) => runInTransaction(async () => work())],
] as const;

describe.each(surroundings)('a synchronous method of a class with @Transactional(), %s', (_, surround) => {
  test.each(['observable', 'stream', 'rows'] as const)(
    'refuses to return lazy work: %s()',
    async (method) => {
      const feed = new Feed();

      await expect(surround(() => feed[method]())).rejects.toMatchObject({ code: 'UNSUPPORTED_RETURN' });
    },
  );

  test('passes a plain value through', async () => {
    await expect(surround(() => new Feed().plain())).resolves.toEqual([1]);
  });
});

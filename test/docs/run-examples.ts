import { join } from 'node:path';
import type { TestDatabase } from '../harness/database.js';
import type { Example } from './examples.js';
import { root } from './markdown.js';

/** What a module in `fixtures/` exports beside the names that examples use. */
interface Fixture {
  /** Makes what the examples use, anew for each; the answered function undoes it. */
  start(db: TestDatabase): Promise<() => Promise<void>>;
}

/** One test per example: its own start of the fixture, the block, then the expectations of its hidden comment. */
export function runExamples(examples: readonly Example[], db: TestDatabase): void {
  test.each([...examples])('$title does what it says', async ({ fixture, path }) => {
    const { start } = (await import(join(root, `test/docs/fixtures/${fixture}.ts`))) as Fixture;
    const { example } = (await import(path)) as { example(): Promise<void> };
    process.env['DATABASE_URL'] = db.url;
    process.env['PORT'] = '0';
    await db.truncate();
    await db.query(`INSERT INTO stock (item, amount) VALUES ('pen', 10), ('ink', 2)`);
    const stop = await start(db);
    expect.hasAssertions();
    try {
      await example();
    } finally {
      await stop();
    }
  });
}

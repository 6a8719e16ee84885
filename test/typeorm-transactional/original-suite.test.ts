import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { startPostgres } from '../harness/postgres.js';

// Two of its tests expect consecutive transaction ids, which a server counts for all its databases.
let server: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => (server = await startPostgres({ settings: { autovacuum: 'off' } })));
afterAll(() => server.stop());

/** What `jest --json` prints. */
interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

async function runOriginalSuite(storage: string): Promise<Report> {
  const config = 'test/typeorm-transactional/original-suite/jest.config.cjs';
  const jest = spawn(
    process.execPath,
    ['node_modules/jest/bin/jest.js', '-c', config, '--json', '--runInBand'],
    {
      env: {
        ...process.env,
        NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
        ORIGINAL_SUITE_URL: server.url,
        TEST_STORAGE_DRIVER: storage,
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  return JSON.parse(await text(jest.stdout)) as Report;
}

/** It takes `dataSource.transaction()` inside a transaction for one of its own: see the migration page. */
const different =
  "Transactional Isolation shouldn't see the most recent committed rows when using REPEATABLE READ isolation level";

/** It does not await the call that fails, and expects its hook of whichever transaction is quicker. */
const racing = 'Integration with Nest.js should fail to create a user using service if error was thrown';

test.each(['ASYNC_LOCAL_STORAGE', 'CLS_HOOKED'])(
  'the tests that typeorm-transactional brings pass here with %s, but for one difference',
  async (storage) => {
    const { testResults } = await runOriginalSuite(storage);

    const results = testResults.flatMap(({ assertionResults }) => assertionResults);
    const failed = results.filter(({ fullName, status }) => status !== 'passed' && fullName !== racing);
    expect(failed.map(({ fullName }) => fullName)).toEqual([different]);
    expect(results).toHaveLength(42);
  },
);

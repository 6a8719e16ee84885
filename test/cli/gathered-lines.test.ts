import { setTimeout as sleep } from 'node:timers/promises';
import { useProjects } from './project.js';
import { useServers } from './servers.js';

const project = useProjects();
const server = useServers()[0]!;

describe('lines that go into a pipe', () => {
  const env = (): Record<string, string> => ({ DATABASE_URL: server.url });
  const tables = (from: number, to: number): Record<string, string> =>
    Object.fromEntries(
      Array.from({ length: to - from + 1 }, (_, index) => [
        `migrations/V${from + index}__t.sql`,
        `CREATE TABLE t${from + index} (id int);\n`,
      ]),
    );
  const printing = (text: string): string =>
    `console.log('${text} loaded');\nexport async function up({ sql }) { console.log('${text} runs'); await sql('SELECT 1'); }\n`;

  test.each([[[]], [['--json']]])(
    'stand in the order in which it happened, beside those of migrations and callbacks in code: %j',
    async (flags) => {
      const at = project({
        ...tables(1, 8),
        'migrations/V9__code.mjs': printing('V9'),
        ...tables(10, 17),
        'migrations/afterMigrate.mjs': printing('afterMigrate'),
      });
      const { stdout, exitCode } = await at.start(['up', ...flags], { env: env() }).ended;
      expect(exitCode).toBe(0);
      const seen = stdout
        .split('\n')
        .flatMap((line) =>
          (/^✓ (V\d+)|"kind":"applied".*"script":"(V\d+)|^(\w+) runs$/.exec(line) ?? []).slice(1),
        )
        .filter((each) => each !== undefined);
      const files = (from: number, to: number): string[] =>
        Array.from({ length: to - from + 1 }, (_, index) => `V${from + index}`);
      expect(seen).toEqual([...files(1, 8), 'V9', 'V9', ...files(10, 17), 'afterMigrate']);
    },
  );

  test('are there while a callback in code keeps the process busy, and when it is killed', async () => {
    const at = project({
      ...tables(1, 8),
      'migrations/afterMigrate.mjs':
        "import { execSync } from 'node:child_process';\nexport async function up() { execSync('sleep 60'); }\n",
    });
    const up = at.start(['up'], { env: env() });
    while (!up.stdout.includes('✓ V8__t.sql')) await sleep(20);
    up.child.kill('SIGKILL');
    await up.ended;
    expect(up.stdout.match(/^✓ /gm)).toHaveLength(8);
  });
});

import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { useMariadb, usePostgres, useWorkspace } from './workspace.js';

const BYTES = 50 * 1024 * 1024;
/** What the process may grow by: the file is never in memory. */
const MOST_GROWTH = 150 * 1024 * 1024;

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

describe.each(engines)('a file of 50 MB by %s', (_, use) => {
  const engine = use();
  const files = useWorkspace(engine);

  test('is run as a stream', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT, t TEXT)' });
    const rows = await writeLargeFile(join(files.folder, 'V2__large.sql'));
    const before = process.memoryUsage().rss;
    let highest = before;
    const timer = setInterval(() => (highest = Math.max(highest, process.memoryUsage().rss)), 20);
    await files.migrator().up();
    clearInterval(timer);
    const [row] = await engine.query('SELECT count(*) AS n FROM a');
    expect(Number(row!['n'])).toBe(rows);
    expect(highest - before).toBeLessThan(MOST_GROWTH);
    const progress = files.events.flatMap((event) => (event.kind === 'progress' ? [event.bytes] : []));
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  }, 300_000);
});

async function writeLargeFile(path: string): Promise<number> {
  const out = createWriteStream(path);
  const text = 'x'.repeat(2000);
  let bytes = 0;
  let rows = 0;
  while (bytes < BYTES) {
    const line = `INSERT INTO a VALUES (${++rows}, '${text}');\n`;
    bytes += line.length;
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
  return rows;
}

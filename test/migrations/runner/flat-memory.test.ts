import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { useChildProgram } from './child-program.js';
import { useMariadb, usePostgres, useWorkspace } from './workspace.js';

const MB = 1024 * 1024;
/** What ten times the file may cost, which is what the garbage collector leaves lying about. */
const MOST_GROWTH_KB = 80 * 1024;

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

describe.each(engines)('the memory of a process that runs a large file by %s', (_, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const program = useChildProgram();

  const peakOf = async (name: string, bytes: number): Promise<number> => {
    const rows = writeLargeFile(join(files.folder, name), bytes);
    const { result, error, peakKb } = await program.up({
      url: engine.url,
      driver: engine.driver,
      directories: ['.'],
      cwd: files.folder,
    }).ended;
    expect(error).toBeUndefined();
    expect(result!.applied.at(-1)).toMatchObject({ script: name });
    const [row] = await engine.query('SELECT COUNT(*) AS n FROM a');
    expect(Number(row!['n'])).toBe(rows);
    await engine.query('DELETE FROM a');
    return peakKb!;
  };

  test('is that of a small one: 200 MB need what 20 MB do', async () => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)' });
    const small = await peakOf('V2__small.sql', 20 * MB);
    const large = await peakOf('V3__large.sql', 200 * MB);
    process.stdout.write(`20 MB: ${Math.round(small / 1024)} MB, 200 MB: ${Math.round(large / 1024)} MB\n`);
    expect(large - small).toBeLessThan(MOST_GROWTH_KB);
  });
});

/** Parts of comments, a statement with a long list, and one with a long text: much to split, cheap to run. */
function writeLargeFile(path: string, bytes: number): number {
  const words = 'words; "and" none of them a statement '.repeat(26);
  const comment = `/* ${`${words}\n`.repeat(40)} */\n${`-- ${words}\n`.repeat(40)}`;
  const list = Array.from({ length: 400 }, (_, index) => `(${index})`).join(',\n');
  const text = `SELECT LENGTH('${`${words}\n`.repeat(150)}');\n`;
  const part = Buffer.from(`${comment}INSERT INTO a VALUES ${list};\n${text}`);
  const file = openSync(path, 'w');
  let rows = 0;
  for (let written = 0; written < bytes; written += part.length) {
    writeSync(file, part);
    rows += 400;
  }
  closeSync(file);
  return rows;
}

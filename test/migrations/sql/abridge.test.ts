import { abridge } from '../../../src/migrations/sql/abridge.js';
import { cpuMsOf } from '../../harness/cpu-time.js';

describe('abridge()', () => {
  test.each([
    ['', ''],
    [' \n ', ''],
    ['SELECT 1', 'SELECT 1'],
    ['\n SELECT a,\r\n\t b ', 'SELECT a, b'],
    ['x'.repeat(120), 'x'.repeat(120)],
    ['x'.repeat(121), `${'x'.repeat(119)}…`],
    [`SELECT 1${' '.repeat(5000)}`, 'SELECT 1'],
    [`SELECT 1${' '.repeat(5000)}+ 2`, 'SELECT 1…'],
    [`${'x'.repeat(118)}😀😀`, `${'x'.repeat(118)}…`],
  ])('%j', (text, expected) => {
    expect(abridge(text)).toBe(expected);
    expect(abridge(text).length).toBeLessThanOrEqual(120);
  });

  test('looks at the beginning of a long statement alone', async () => {
    const long = `INSERT INTO t VALUES ${"('x'),\n".repeat(1_000_000)}`;
    const took = await cpuMsOf(() => {
      for (let count = 0; count < 100; count++) abridge(long);
    });
    expect(took).toBeLessThan(1000);
  });
});

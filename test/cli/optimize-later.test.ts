import { execFileSync } from 'node:child_process';
import { optimizeLater } from '../../src/cli/optimize-later.js';

test('sets flags that this V8 knows: it would say of others that they are none, on stderr', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  const flags = optimizeLater();
  expect(flags).toHaveLength(process.versions.node.startsWith('20.') ? 1 : 0);
  for (const flag of flags) expect(known).toContain(`${flag.replace(/=.*/, '')} (`);
});

test('leaves newer ones alone', () => {
  expect(optimizeLater('12.4.254.21-node.33')).toEqual([]);
  expect(optimizeLater('13.6.233.17-node.37')).toEqual([]);
});

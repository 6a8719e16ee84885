import { setFlagsFromString } from 'node:v8';

/** V8 11 is that of Node 20. Newer ones have Maglev, which optimizes at a tenth of the price. */
const HURRIES = /^11\./;

/**
 * Has V8 wait 300 KB of executed bytecode, in place of 66, before it optimizes a function. In a run of a second or two the
 * optimizing takes a quarter of the program's processor time, on a core that the database may need: of 500 small files a
 * tenth of the whole time, measured by `npm run bench:migrate`. One file of 50,000 statements takes 2 % longer. Returns the
 * flags that it set.
 */
export function optimizeLater(v8 = process.versions.v8): readonly string[] {
  const flags = HURRIES.test(v8) ? ['--interrupt-budget=300000'] : [];
  for (const flag of flags) setFlagsFromString(flag);
  return flags;
}

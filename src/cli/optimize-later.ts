import { setFlagsFromString } from 'node:v8';

/** V8 11 is that of Node 20. Newer ones have Maglev, which needs less time for it. */
const HURRIES = /^11\./;

/**
 * Has V8 wait until 300 KB of a function's bytecode were executed, in place of 66, before it optimizes it: in a run of a second
 * or two that takes more of the processor than it gives back, on a core that the database may need. Returns the flags that
 * it set.
 */
export function optimizeLater(v8 = process.versions.v8): readonly string[] {
  const flags = HURRIES.test(v8) ? ['--interrupt-budget=300000'] : [];
  for (const flag of flags) setFlagsFromString(flag);
  return flags;
}

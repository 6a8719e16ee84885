// Compiles the example into dist/ with plain tsc, as an application's own build would.
import { fileURLToPath } from 'node:url';
import { compile as compileExample } from '../compile.mjs';

export { root } from '../compile.mjs';

/** Builds the library first when its source has changed since. Ends the process when tsc does not like something. */
export function compile() {
  compileExample(fileURLToPath(new URL('.', import.meta.url)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) compile();

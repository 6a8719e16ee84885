// npm run example:two-orms: compiles the example and runs it on a PostgreSQL of its own.
import { fileURLToPath } from 'node:url';
import { compile, root } from '../compile.mjs';

// The harness looks for its PostgreSQL from here.
process.chdir(root);
compile(fileURLToPath(new URL('.', import.meta.url)));
const { run } = await import('./dist/examples/two-orms/demo/main.js');
process.exitCode = await run();

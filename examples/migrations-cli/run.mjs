// npm run example:migrations-cli [-- --url <url>]: plays a project's deploys on a PostgreSQL of its own, or on the empty database of the url.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compile, root } from '../compile.mjs';

const { values } = parseArgs({ options: { url: { type: 'string' } } });
// The harness looks for its PostgreSQL from here.
process.chdir(root);
compile(fileURLToPath(new URL('.', import.meta.url)));
const { run } = await import('./dist/examples/migrations-cli/demo/main.js');
process.exitCode = await run(values.url);

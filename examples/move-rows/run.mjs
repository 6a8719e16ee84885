// SOURCE_URL=mysql://… TARGET_URL=postgres://… npm run example:move-rows
import { fileURLToPath } from 'node:url';
import { compile } from '../compile.mjs';

if (!process.env.SOURCE_URL || !process.env.TARGET_URL) throw new Error('Set SOURCE_URL and TARGET_URL.');
if (!process.argv.includes('--compiled')) compile(fileURLToPath(new URL('.', import.meta.url)));
const { run } = await import('./dist/main.js');
process.exitCode = await run(process.env);

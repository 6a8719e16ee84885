// TypeScript 6 checks everything that is written; TypeScript 7 checks what is published.
import { runTogether, tsc6, tsc7 } from './tools.mjs';

await runTogether([
  [tsc6, '-p', 'tsconfig.json'],
  [tsc6, '-p', 'tsconfig.tc39.json'],
  [tsc7, '-p', 'tsconfig.cjs.json', '--noEmit'],
  [tsc7, '-p', 'tsconfig.esm.json', '--noEmit'],
]);

// TypeScript 7, which builds, checks everything that is written; TypeScript 6 checks what is published.
import { runTogether, tsc6, tsc7 } from './tools.mjs';

await runTogether([
  [tsc7, '-p', 'tsconfig.json'],
  [tsc7, '-p', 'tsconfig.tc39.json'],
  [tsc6, '-p', 'tsconfig.cjs.json', '--noEmit'],
]);

// Generates the Prisma clients of tests and examples. Generating needs no engine; Prisma only wants a file where
// the engine would be, and would download one otherwise.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { root } from './tools.mjs';

const schemas = ['test/prisma/schema.prisma'];

const prisma = createRequire(import.meta.url).resolve('prisma/build/index.js');
for (const schema of schemas) {
  execFileSync(process.execPath, [prisma, 'generate', '--schema', schema], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: '1' },
  });
}

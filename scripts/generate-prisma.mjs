// Generates the Prisma clients of tests, examples and benchmark, where one is missing or older than its schema. Generating needs
// no engine: Prisma only wants a file where the engine would be, and would download one otherwise.
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { root } from './tools.mjs';

/** Schema -> what `output` in it leads to. */
const clients = {
  'bench/schema.prisma': 'bench/src/generated',
  'test/prisma/schema.prisma': 'test/prisma/generated',
  'test/prisma/mysql/schema.prisma': 'test/prisma/mysql/generated',
  'test/sqlite/prisma/schema.prisma': 'test/sqlite/prisma/generated',
  'examples/nestjs-prisma/schema.prisma': 'examples/nestjs-prisma/src/generated',
  'examples/two-orms/schema.prisma': 'examples/two-orms/src/generated',
};

const prisma = resolve('prisma/build/index.js');
// An install without development dependencies has nothing to test.
if (prisma) for (const schema of Object.keys(clients).filter(isStale)) generate(schema);

function resolve(specifier) {
  try {
    return createRequire(import.meta.url).resolve(specifier);
  } catch {
    return undefined;
  }
}

function isStale(schema) {
  const written = changedAt(`${clients[schema]}/client.ts`);
  return written < changedAt(schema) || written < changedAt('node_modules/prisma/package.json');
}

function changedAt(file) {
  const path = fileURLToPath(new URL(file, root));
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function generate(schema) {
  try {
    execFileSync(process.execPath, [prisma, 'generate', '--schema', schema], {
      cwd: root,
      stdio: 'pipe',
      env: {
        ...process.env,
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
        CHECKPOINT_DISABLE: '1',
      },
    });
  } catch (error) {
    console.error(`prisma generate of ${schema} failed:\n${error.stdout}${error.stderr}`);
    process.exitCode = 1;
  }
}

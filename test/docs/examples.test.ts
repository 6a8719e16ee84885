import { spawnSync } from 'node:child_process';
import { useDatabase } from '../harness/database.js';
import { isNestFixture, writeExamples } from './examples.js';
import { runExamples } from './run-examples.js';
import { docsSchema } from './schema.js';

const db = useDatabase({ schema: docsSchema });

describe('each example of README and docs', () => {
  runExamples(
    writeExamples((fixture) => !isNestFixture(fixture)),
    db,
  );
});

test('the examples type-check under the strict options of this repository', () => {
  const { stdout, status } = spawnSync(
    process.execPath,
    ['node_modules/typescript7/bin/tsc', '--noEmit', '-p', 'test/docs/tsconfig.json'],
    { encoding: 'utf8' },
  );
  expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
});

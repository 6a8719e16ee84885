import { isNestFixture, writeExamples } from '../docs/examples.js';
import { runExamples } from '../docs/run-examples.js';
import { docsSchema } from '../docs/schema.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase({ schema: docsSchema });

describe('each NestJS example of README and docs', () => {
  runExamples(writeExamples(isNestFixture), db);
});

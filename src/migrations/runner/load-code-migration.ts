import { messageOf } from '../../core/index.js';
import type { ResolvedMigration } from '../migration.js';
import type { MigrationContext } from './migration-context.js';
import { ScriptProblem } from './script-problem.js';

type CodeBody = Extract<ResolvedMigration['body'], { kind: 'code' }>;

/** What is run of a module. */
export interface LoadedCode {
  readonly isTransactional: boolean;
  run(context: MigrationContext): Promise<unknown>;
}

const SHAPE =
  'Export `up(context)` and, to undo it, `down(context)`: as named exports, or as the methods of the default export (an object, or a class that takes no arguments).';

/**
 * Loads a migration in TypeScript or JavaScript from the user's folder. Throws {@link ScriptProblem} for a module that
 * cannot be loaded, or that is none.
 */
export async function loadCodeMigration({ path, direction }: CodeBody): Promise<LoadedCode> {
  const module = await load(path);
  const migration = readMigration(module);
  const run = migration[direction];
  if (typeof run !== 'function') {
    throw new ScriptProblem(`it exports no function ${direction}`, { next: SHAPE });
  }
  if (isTypeormStyle(migration)) {
    throw new ScriptProblem(
      'it is a migration class of TypeORM: its `up(queryRunner)` needs a QueryRunner, and holdfast has none to give',
      {
        next: 'Write its statements into a .sql file, or let `up` take a MigrationContext: `queryRunner.query(text)` becomes `context.sql(text)`. "Coming from TypeORM" in the documentation of holdfast/migrations shows both.',
      },
    );
  }
  if (isSequelizeStyle(run)) {
    throw new ScriptProblem(
      'it is a migration of umzug or Sequelize: its `up(queryInterface)` needs a QueryInterface, and holdfast has none to give',
      {
        next: 'Write its statements into a .sql file, or let `up` take a MigrationContext: `queryInterface.sequelize.query(text)` becomes `context.sql(text)`. docs/coming-from-umzug.md shows both.',
      },
    );
  }
  const isTransactional = (module['transaction'] ?? migration['transaction']) !== false;
  return { isTransactional, run: (context) => Promise.resolve(run.call(migration, context) as unknown) };
}

async function load(path: string): Promise<Record<string, unknown>> {
  const { createJiti } = await import('jiti');
  try {
    // Tied to the file, for its imports are the user's; not cached, as a file may be edited between two runs of one process.
    const jiti = createJiti(path, { moduleCache: false, fsCache: false, interopDefault: false });
    return await jiti.import<Record<string, unknown>>(path);
  } catch (error) {
    throw new ScriptProblem(`it cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
}

function readMigration(module: Record<string, unknown>): Record<string, unknown> {
  if (typeof module['up'] === 'function' || typeof module['down'] === 'function') return module;
  const candidates = 'default' in module ? [module['default']] : Object.values(module);
  for (const candidate of candidates) {
    if (typeof candidate === 'function' && candidate.prototype !== undefined) {
      const Class = candidate as new () => Record<string, unknown>;
      if (typeof (Class.prototype as Record<string, unknown>)['up'] === 'function') return new Class();
    }
    if (typeof candidate === 'object' && candidate !== null) {
      const inner = candidate as Record<string, unknown>;
      if (typeof inner['up'] === 'function' || typeof inner['down'] === 'function') return inner;
      // A CommonJS module that was compiled from a default export.
      if (inner['default'] !== undefined && inner['default'] !== candidate) return readMigration(inner);
    }
  }
  throw new ScriptProblem('it exports neither `up` nor `down`', { next: SHAPE });
}

/** TypeORM names the class after its time: `AddOrders1700000000000`. */
function isTypeormStyle(migration: Record<string, unknown>): boolean {
  const className = (migration.constructor as { name?: string } | undefined)?.name ?? '';
  if (/\d{13}$/.test(className)) return true;
  const source =
    typeof migration['up'] === 'function' ? Function.prototype.toString.call(migration['up']) : '';
  return /^[^)]*\bqueryRunner\b/.test(source);
}

/** By the name of its parameter, `up: async (queryInterface, Sequelize)` and `up({ context: queryInterface })`. */
function isSequelizeStyle(run: unknown): boolean {
  return /^[^)]*\bqueryInterface\b/.test(Function.prototype.toString.call(run));
}

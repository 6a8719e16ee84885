import { messageOf } from '../../core/index.js';
import type { ForeignTool, ResolvedMigration } from '../migration.js';
import { FOREIGN_TOOLS, toolOfFunction } from '../sources/foreign-code.js';
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
  const tool = toolOfFunction(run as () => unknown) ?? toolOfClass(migration, run);
  if (tool !== undefined) throw foreignProblem(tool, direction);
  const isTransactional = (module['transaction'] ?? migration['transaction']) !== false;
  return {
    isTransactional,
    run: async (context) => run.call(migration, refusingContext(context, direction)) as unknown,
  };
}

function foreignProblem(tool: ForeignTool, direction: CodeBody['direction']): ScriptProblem {
  const { what, given, call, page } = FOREIGN_TOOLS[tool];
  const file = direction === 'up' ? 'a .sql file' : 'U<version>__<description>.sql';
  return new ScriptProblem(
    `it is ${what}: its \`${direction}\` needs ${given}, which holdfast does not have`,
    {
      next: `Write its statements into ${file}, or let \`${direction}\` take a MigrationContext: \`${call}\` becomes \`context.sql(text)\`. ${page} shows both.`,
    },
  );
}

/** umzug's functions find all that they need in a member `context`: what asks for it is told so, wherever it does. */
function refusingContext(context: MigrationContext, direction: CodeBody['direction']): MigrationContext {
  return Object.defineProperty(context, 'context', {
    get: () => {
      throw foreignProblem('umzug', direction);
    },
  });
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

/** TypeORM names the class after its time, `AddOrders1700000000000`; a function of it may have been rewritten for a context. */
function toolOfClass(migration: Record<string, unknown>, run: object): ForeignTool | undefined {
  const className = (migration.constructor as { name?: string } | undefined)?.name ?? '';
  const takesOurs = /^[^()]*\((?:\s*\)|\s*\{|[^)]*context)/i.test(Function.prototype.toString.call(run));
  return /\d{13}$/.test(className) && !takesOurs ? 'typeorm' : undefined;
}

import { messageOf } from '../../../core/index.js';
import type { Database, MigrationSession } from '../../database/session.js';
import { describeHolder } from '../../locks/describe-holder.js';
import type { DoctorCheck, DoctorResult } from '../../migrator.js';
import type { ParsedMigratorOptions } from '../../options.js';
import { type ServerCheck, serverChecks } from '../doctor-checks.js';
import { explainOwnError } from '../explain-own-error.js';
import { adoptionProblems } from '../foreign-schema.js';
import type { RunContext } from '../run-context.js';
import { readSources, survey } from '../survey.js';
import { lockOf } from '../with-lock.js';

export interface DoctorParts {
  readonly options: ParsedMigratorOptions;
  openDatabase(): Promise<Database>;
  with<T>(work: (context: RunContext) => Promise<T>): Promise<T>;
}

/** Looks at everything that an `up` depends on. Takes no lock, changes nothing, and never rejects: what fails is a check. */
export async function doctor(parts: DoctorParts): Promise<DoctorResult> {
  const checks: DoctorCheck[] = [];
  try {
    await parts.with(async (context) => {
      checks.push(connected(context.database, context.session));
      for (const check of serverChecks(context)) checks.push(await settle(context, check));
      checks.push(...(await migrationChecks(context)));
    });
  } catch (error) {
    checks.push({ name: 'connection', result: 'failed', message: messageOf(error) });
  }
  return { checks };
}

function connected({ description }: Database, { server, driver }: MigrationSession): DoctorCheck {
  const { product, version } = server;
  return {
    name: 'connection',
    result: 'ok',
    message: `${description}: ${product} ${version}, by ${driver}.`,
  };
}

async function migrationChecks(context: RunContext): Promise<DoctorCheck[]> {
  const { options, history } = context;
  const directories = await settle(context, {
    name: 'directories',
    run: async () => {
      const { migrations, callbacks, ignored } = await readSources(context);
      const result = migrations.length === 0 || ignored.length > 0 ? 'warning' : 'ok';
      const strays = ignored.map(({ script, reason }) => ` ${script}: ${reason}`).join('');
      return {
        result,
        message: `${options.directories.join(', ')}: ${counted(migrations.length, 'migration')}, ${counted(callbacks.length, 'callback')}.${strays}`,
      };
    },
  });
  if (directories.result === 'failed') return [directories];
  const migrations = await settle(context, {
    name: 'migrations',
    run: async () => {
      const found = await survey(context, await readSources(context));
      const { plan, hasHistory } = found;
      const [first] = [...plan.problems, ...(await adoptionProblems(context, found))];
      if (first !== undefined) return { result: 'failed', message: first.message };
      const where = hasHistory
        ? `at version ${plan.version?.text ?? 'none'}`
        : `${history.table} does not exist yet`;
      return { result: 'ok', message: `${plan.pending.length} pending; ${where}.` };
    },
  });
  const lock = await settle(context, {
    name: 'lock',
    run: async () => {
      const holder = await (await lockOf(context)).holder();
      return holder === undefined
        ? { result: 'ok', message: 'Nobody holds it.' }
        : { result: 'warning', message: `Held: ${describeHolder(holder)}.` };
    },
  });
  return [directories, migrations, lock];
}

async function settle(context: RunContext, check: ServerCheck): Promise<DoctorCheck> {
  const { name } = check;
  try {
    return { name, ...(await check.run()) };
  } catch (error) {
    return { name, result: 'failed', message: messageOf(explainOwnError(error, context)) };
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

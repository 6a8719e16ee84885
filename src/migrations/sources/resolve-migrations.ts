import path from 'node:path';
import { InvalidMigrationsError } from '../errors.js';
import { CALLBACK_MOMENTS, type ResolvedCallback } from '../events.js';
import type { MigrationKind, ResolvedMigration } from '../migration.js';
import { compareVersions, versionKey } from '../version.js';
import { CODE_EXTENSIONS } from './file-name.js';
import { findFiles, type FoundFile } from './find-files.js';
import { keepContent } from './kept-content.js';
import { type ReadFile, readFiles } from './read-files.js';
import type { ResolveMigrations } from './sources.js';

/** More would hide the first ones. */
const PROBLEMS_SHOWN = 20;

/** See {@link ResolveMigrations}. */
export const resolveMigrations: ResolveMigrations = async (options) => {
  const found = findFiles(options);
  const { read, problems } = await readFiles(preferSources(found.files));
  const migrations = withoutImpliedUndo(read.flatMap(toMigrations)).sort(compareMigrations);
  const callbacks = read.flatMap(toCallback).sort(compareCallbacks);
  const wrong = [...found.problems, ...problems.sort(), ...findTwins(migrations, callbacks)];
  if (wrong.length > 0) throw invalidMigrations(wrong);
  return { migrations, callbacks, ignored: found.ignored };
};

function invalidMigrations(problems: readonly string[]): InvalidMigrationsError {
  if (problems.length === 1) return new InvalidMigrationsError(problems[0]!);
  const more = problems.length - PROBLEMS_SHOWN;
  const shown = problems.slice(0, PROBLEMS_SHOWN).map((problem) => `\n- ${problem}`);
  const rest = more > 0 ? `\n- and ${more} more` : '';
  return new InvalidMigrationsError(
    `The migrations are wrong in ${problems.length} places:${shown.join('')}${rest}`,
  );
}

/** Of a file in code and what it was compiled to, beside it, the source. */
function preferSources(files: readonly FoundFile[]): FoundFile[] {
  const best = new Map<string, FoundFile>();
  const rank = ({ path: file }: FoundFile) =>
    CODE_EXTENSIONS.findIndex((extension) => file.endsWith(`.${extension}`));
  for (const file of files) {
    const key =
      file.name.language === 'sql' ? file.path : file.path.slice(0, -path.extname(file.path).length);
    const other = best.get(key);
    if (other === undefined || rank(file) < rank(other)) best.set(key, file);
  }
  return [...best.values()];
}

function toMigrations({
  name,
  path: file,
  script,
  digest,
  sections,
  downFor,
  bytes,
}: ReadFile): ResolvedMigration[] {
  if (name.kind !== 'migration') return [];
  const { migration: kind, version, description, language } = name;
  const identity = { description, ...digest, ...(version !== undefined && { version }) };
  const code = (direction: 'up' | 'down') => ({ kind: 'code', path: file, direction }) as const;
  const sql = (part: { readonly section?: 'up' | 'down' }) =>
    keepContent({ kind: 'sql', path: file, ...part } as const, bytes);
  if (kind !== 'versioned' || sections.size === 0) {
    const body = language === 'code' ? code('up') : sql({});
    return [{ kind, ...identity, script, body }];
  }
  const part = (section: 'up' | 'down') => (language === 'code' ? code(section) : sql({ section }));
  const up = { kind, ...identity, script, body: part('up') };
  if (!sections.has('down')) return [up];
  const down = downFor ? { ...code('down'), writtenFor: downFor } : part('down');
  return [up, { kind: 'undo', ...identity, script: `${script}#down`, body: down }];
}

/** A file of its own says more than the word `down` in a module. */
function withoutImpliedUndo(migrations: readonly ResolvedMigration[]): ResolvedMigration[] {
  const isImplied = ({ kind, body }: ResolvedMigration) =>
    kind === 'undo' && body.kind === 'code' && body.direction === 'down';
  const explicit = new Set(
    migrations.filter((each) => each.kind === 'undo' && !isImplied(each)).map(identityOf),
  );
  return migrations.filter((each) => !isImplied(each) || !explicit.has(identityOf(each)));
}

function toCallback({ name, path: file, script, bytes }: ReadFile): ResolvedCallback[] {
  if (name.kind !== 'callback') return [];
  const { moment, description, language } = name;
  const body =
    language === 'code'
      ? ({ kind: 'code', path: file, direction: 'up' } as const)
      : keepContent({ kind: 'sql', path: file } as const, bytes);
  return [{ moment, description, script, body }];
}

const KINDS: readonly MigrationKind[] = ['baseline', 'versioned', 'undo', 'repeatable'];

function compareMigrations(a: ResolvedMigration, b: ResolvedMigration): number {
  if (a.version !== undefined && b.version !== undefined)
    return (
      compareVersions(a.version, b.version) ||
      KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
      compareText(a.script, b.script)
    );
  if (a.version !== undefined || b.version !== undefined) return a.version === undefined ? 1 : -1;
  return compareText(a.description, b.description) || compareText(a.script, b.script);
}

const compareCallbacks = (a: ResolvedCallback, b: ResolvedCallback) =>
  CALLBACK_MOMENTS.indexOf(a.moment) - CALLBACK_MOMENTS.indexOf(b.moment) ||
  compareText(a.description, b.description) ||
  compareText(a.script, b.script);

/** By code unit, as Java compares: the same order on every machine. */
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const identityOf = ({ kind, version, description }: ResolvedMigration) =>
  version === undefined ? `${kind} "${description}"` : `${kind} ${versionKey(version)}`;

/** Two files that only one row could be written for. */
function findTwins(
  migrations: readonly ResolvedMigration[],
  callbacks: readonly ResolvedCallback[],
): string[] {
  const problems: string[] = [];
  const seen = new Map<string, string>();
  const meet = (key: string, file: string, describe: (first: string) => string) => {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, file);
    else problems.push(describe(first));
  };
  for (const migration of migrations) {
    const { kind, version, description, body } = migration;
    meet(identityOf(migration), body.path, (first) =>
      version === undefined
        ? `${first} and ${body.path} are both the repeatable migration "${description}". Rename one of them.`
        : `${first} and ${body.path} are both ${nameOf(kind)} ${versionKey(version)}. Give one of them another version.`,
    );
  }
  for (const { moment, description, body } of callbacks)
    meet(`${moment} ${description}`, body.path, (first) => {
      const name = description === '' ? moment : `${moment} "${description}"`;
      return `${first} and ${body.path} are both the callback ${name}. Rename one of them: ${moment}__description.`;
    });
  return problems;
}

const nameOf = (kind: MigrationKind) =>
  kind === 'versioned' ? 'version' : kind === 'undo' ? 'the undo of version' : 'the baseline of version';

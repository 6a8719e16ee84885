import type { MigrationKind, ResolvedMigration } from '../migrations/index.js';
import { UsageError } from './usage-error.js';

export interface NewMigration {
  readonly name: string;
  readonly kind: 'sql' | 'code' | 'repeatable';
  readonly hasUndo: boolean;
  readonly now: Date;
}

export interface NewFiles {
  /** Names relative to the folder that they belong into. */
  readonly files: readonly { readonly name: string; readonly content: string }[];
  /** Beside which kind of migration they belong. */
  readonly sibling: MigrationKind;
  /** Whether that one is a folder, as Prisma's are, so that they belong beside the folder. */
  readonly isFolder: boolean;
}

/** How the migrations of a project are named: what the name of the highest version shows. */
interface NamingStyle {
  /** `V` or nothing. */
  readonly prefix: string;
  readonly version: string;
  /** Between version and description: `__`, `_`, `-`, `.` or a space. */
  readonly separator: string;
  readonly shape: Shape;
}

/** One file, one for each direction, a folder of Prisma's, or one file with a section for each direction. */
type Shape = 'single' | 'pair' | 'folder' | 'sections';

const DEFAULT_STYLE: NamingStyle = { prefix: 'V', version: '0', separator: '__', shape: 'single' };
/** umzug's time, and a date with a time or without one: what is in front of the description is not all numbers with dots. */
const TIME = String.raw`\d{4}\.\d\d\.\d\dT\d\d\.\d\d\.\d\d|\d{4}-\d\d-\d\d(?:[-T_]\d\d[-.]?\d\d[-.]?\d\d)?`;
const NUMBERED = String.raw`(${TIME}|\d+(?:\.\d+)*)([-_. ])`;
const FOLDER = new RegExp(String.raw`(?:^|/)${NUMBERED}[^/]+/(?:migration|up)\.sql$`);
const FILE = new RegExp(String.raw`(?:^|/)(?:(V)(\d+(?:[._]\d+)*)(__)|${NUMBERED})[^/]+$`);
/** What the common file systems take. */
const LONGEST_NAME = 255;

const CODE = `import type { MigrationContext } from 'holdfast/migrations';

export async function up({ sql }: MigrationContext): Promise<void> {}
`;
const CODE_WITH_UNDO = `${CODE}
export async function down({ sql }: MigrationContext): Promise<void> {}
`;
const SECTIONS = '-- migrate:up\n\n-- migrate:down\n';

/**
 * The files of a new migration, named as the existing ones are. Pure. Throws `UsageError` for a name without a letter, and for
 * one that no file can have.
 */
export function nextFiles(existing: readonly ResolvedMigration[], migration: NewMigration): NewFiles {
  const slug = migration.name
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '');
  if (slug === '')
    throw new UsageError(
      `"${migration.name}" names nothing: say what the migration does, as in "add orders".`,
    );
  const made = filesFor(existing, slug, migration);
  const isTooLong = (name: string): boolean => Buffer.byteLength(name) > LONGEST_NAME;
  if (made.files.some(({ name }) => name.split('/').some(isTooLong)))
    throw new UsageError(
      `With that name (${migration.name.length} characters) the file would be longer than a file name can be, ${LONGEST_NAME} bytes: say in fewer words what the migration does.`,
    );
  return made;
}

function filesFor(existing: readonly ResolvedMigration[], slug: string, migration: NewMigration): NewFiles {
  if (migration.kind === 'repeatable')
    return { files: [{ name: `R__${slug}.sql`, content: '' }], sibling: 'repeatable', isFolder: false };
  const style = styleOf(existing);
  const version = nextVersion(style.version, migration.now);
  const names = namesOf({ ...style, version }, slug, migration);
  return {
    files: names,
    sibling: 'versioned',
    isFolder: style.shape === 'folder',
  };
}

function namesOf(style: NamingStyle, slug: string, { kind, hasUndo }: NewMigration): NewFiles['files'] {
  const { prefix, version, separator, shape } = style;
  const stem = `${prefix}${version}${separator}${slug}`;
  if (kind === 'code') return [{ name: `${stem}.ts`, content: hasUndo ? CODE_WITH_UNDO : CODE }];
  const sql = (...names: string[]) => names.map((name) => ({ name, content: '' }));
  switch (shape) {
    case 'folder':
      return sql(`${stem}/migration.sql`, ...(hasUndo ? [`${stem}/down.sql`] : []));
    case 'pair':
      return sql(`${stem}.up.sql`, `${stem}.down.sql`);
    case 'sections':
      return [{ name: `${stem}.sql`, content: SECTIONS }];
    case 'single':
      if (!hasUndo) return sql(`${stem}.sql`);
      return prefix === ''
        ? sql(`${stem}.up.sql`, `${stem}.down.sql`)
        : sql(`${stem}.sql`, `U${version}${separator}${slug}.sql`);
    default:
      return shape satisfies never;
  }
}

function styleOf(existing: readonly ResolvedMigration[]): NamingStyle {
  const last = existing.findLast(({ kind }) => kind === 'versioned');
  if (last === undefined) return DEFAULT_STYLE;
  const folder = FOLDER.exec(last.script);
  if (folder) return { prefix: '', version: folder[1]!, separator: folder[2]!, shape: 'folder' };
  const [, prefix = '', flyway, two, number, one] = FILE.exec(last.script) ?? [];
  const version = flyway ?? number;
  if (version === undefined) return DEFAULT_STYLE;
  return { prefix, version, separator: two ?? one!, shape: shapeOf(last) };
}

function shapeOf({ script, body }: ResolvedMigration): Shape {
  if (body.kind === 'sql' && body.section !== undefined) return 'sections';
  return script.endsWith('.up.sql') ? 'pair' : 'single';
}

/** From so many digits on a version is a time: `20260131120000`, or milliseconds since 1970 as TypeORM has them. */
const TIMESTAMP_DIGITS = 12;
const MILLISECOND_DIGITS = 13;

function nextVersion(version: string, now: Date): string {
  if (/^\d+$/.test(version) && version.length >= TIMESTAMP_DIGITS) {
    const next =
      version.length === MILLISECOND_DIGITS
        ? String(now.getTime())
        : now.toISOString().replaceAll(/\D/g, '').slice(0, version.length).padEnd(version.length, '0');
    return BigInt(next) > BigInt(version) ? next : String(BigInt(version) + 1n);
  }
  const time = nextTime(version, now);
  if (time !== undefined) return time;
  // The last part, with the zeros in front of it: V1.09 -> V1.10, 007 -> 008.
  return version.replace(/\d+$/, (digits) => String(BigInt(digits) + 1n).padStart(digits.length, '0'));
}

const IS_TIME = new RegExp(`^(?:${TIME})$`);
/** Year, month, day, hour, minute and maybe second, whatever stands between them: `2026.01.31.12.00`, `2026_01_31_1200`. */
const DIGITS_OF_TIME =
  /^(?:19[7-9]\d|2\d{3})(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?$/;

/** The current time in the form of a version that is one, or the next one after a version of the future. */
function nextTime(version: string, now: Date): string | undefined {
  const digits = version.replaceAll(/\D/g, '');
  if (!IS_TIME.test(version) && !(version !== digits && DIGITS_OF_TIME.test(digits))) return undefined;
  const highest = digits.padEnd(14, '0');
  const current = digitsOf(now);
  const next = current.slice(0, digits.length);
  if (next.padEnd(14, '0') > highest) return inFormOf(version, next);
  const isDate = digits.length === 8;
  const [century = 0, year = 0, month = 1, ...rest] = highest.match(/\d\d/g)!.map(Number);
  const [day = 1, hour = 0, minute = 0, second = 0] = rest;
  const stepMs = digits.length === 12 ? 60_000 : 1000;
  const after = new Date(Date.UTC(century * 100 + year, month - 1, day, hour, minute, second) + stepMs);
  if (!isDate) return inFormOf(version, digitsOf(after));
  // A date that is there already is told apart by a time.
  return inFormOf('0000-00-00T00-00-00', current > highest ? current : digitsOf(after));
}

function digitsOf(time: Date): string {
  return time.toISOString().replaceAll(/\D/g, '').slice(0, 14);
}

function inFormOf(version: string, digits: string): string {
  let at = 0;
  return version.replaceAll(/\d/g, () => digits[at++]!);
}

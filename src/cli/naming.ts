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
const FOLDER = /(?:^|\/)(\d+)([-_. ])[^/]+\/(?:migration|up)\.sql$/;
const FILE = /(?:^|\/)(?:(V)(\d+(?:[._]\d+)*)(__)|(\d+(?:\.\d+)*)([-_. ]))[^/]+$/;

const CODE = `import type { MigrationContext } from 'holdfast/migrations';

export async function up({ sql }: MigrationContext): Promise<void> {}
`;
const CODE_WITH_UNDO = `${CODE}
export async function down({ sql }: MigrationContext): Promise<void> {}
`;
const SECTIONS = '-- migrate:up\n\n-- migrate:down\n';

/** The files of a new migration, named as the existing ones are. Pure. Throws `UsageError` for a name without a letter. */
export function nextFiles(existing: readonly ResolvedMigration[], migration: NewMigration): NewFiles {
  const slug = migration.name
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '');
  if (slug === '')
    throw new UsageError(
      `"${migration.name}" names nothing: say what the migration does, as in "add orders".`,
    );
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
  // The last part, with the zeros in front of it: V1.09 -> V1.10, 007 -> 008.
  return version.replace(/\d+$/, (digits) => String(BigInt(digits) + 1n).padStart(digits.length, '0'));
}

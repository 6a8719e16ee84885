import { nearest } from '../../core/index.js';
import { CALLBACK_MOMENTS, type CallbackMoment } from '../events.js';
import type { MigrationKind } from '../migration.js';
import { parseVersion, type Version } from '../version.js';
import { correctedFlywayName } from './misnamed.js';

/** What a file's name says. */
export type FileName =
  | {
      readonly kind: 'migration';
      readonly migration: MigrationKind;
      /** Absent for a repeatable one. */
      readonly version?: Version;
      readonly description: string;
      readonly language: Language;
    }
  | {
      readonly kind: 'callback';
      readonly moment: CallbackMoment;
      readonly description: string;
      readonly language: Language;
    }
  /** It was meant to be a migration, and no tool could tell which. `reason` says what to do. */
  | { readonly kind: 'misnamed'; readonly reason: string }
  /** It may have been meant to be one. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** Nothing of ours. */
  | { readonly kind: 'other' };

export type Language = 'sql' | 'code';

/** The extensions of code, in the order in which they are preferred where a folder holds a file and what it was compiled to. */
export const CODE_EXTENSIONS = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs'] as const;

const EXTENSION = new RegExp(`\\.(sql|${CODE_EXTENSIONS.join('|')})$`);
const OTHER_EXTENSION = new RegExp(`^(.+\\.(?:sql|${CODE_EXTENSIONS.join('|')}))([.~].*)$`, 'i');
/** Such a file would have been run by Flyway; none of them is here. */
const RUN_BY_FLYWAY = /\.(java|kt|class|py|sh|bash|ps1|bat|cmd)$/;

/**
 * Reads the name of a file, as Flyway, umzug, Sequelize, TypeORM, knex, dbmate, node-pg-migrate, golang-migrate and
 * Postgrator give it. The whole table is in test/migrations/sources/file-name.test.ts.
 *
 * @example
 * ```ts
 * parseFileName('V1_2__add_orders.sql'); // { kind: 'migration', migration: 'versioned', version: 1.2, description: 'add orders', … }
 * ```
 */
export function parseFileName(name: string): FileName {
  // File systems differ in how they compose accents; the history has to have one spelling.
  const file = name.normalize('NFC');
  if (/^[._]/.test(file) || /\.d\.[cm]?ts$|\.map$/.test(file)) return { kind: 'other' };
  const extension = EXTENSION.exec(file)?.[1];
  if (extension === undefined) return parseOtherExtension(file);
  const stem = file.slice(0, -extension.length - 1);
  const language = extension === 'sql' ? 'sql' : 'code';
  if (language === 'code' && /\.(test|spec)$/.test(stem)) return ignored('it is a test by its name');
  return (
    parseCallback(stem, language) ??
    parseFlyway(stem, language) ??
    parseNumbered(stem, language) ??
    parseRest(file, stem, language)
  );
}

/** Reads the name of a folder that is one migration, Prisma's `20260131120000_add_orders`; undefined for any other folder. */
export function parseFolderName(name: string): { version: Version; description: string } | undefined {
  const numbered = readNumber(name.normalize('NFC'));
  if (numbered === undefined) return undefined;
  return { version: numbered.version, description: describe(numbered.rest) };
}

const ignored = (reason: string): FileName => ({ kind: 'ignored', reason });
const misnamed = (reason: string): FileName => ({ kind: 'misnamed', reason });

function parseOtherExtension(file: string): FileName {
  const lower = file.replace(/\.[^.]+$/, (extension) => extension.toLowerCase());
  if (lower !== file && EXTENSION.test(lower)) {
    if (['ignored', 'other'].includes(parseFileName(lower).kind)) return { kind: 'other' };
    return misnamed(`its extension has capital letters: call it ${lower}.`);
  }
  const [, inner, suffix] = OTHER_EXTENSION.exec(file) ?? [];
  if (inner !== undefined && suffix !== undefined) {
    if (['ignored', 'other'].includes(parseFileName(inner).kind)) return { kind: 'other' };
    if (suffix === '.conf')
      return ignored(
        `it configures ${inner} for Flyway and is not read: write \`-- no-transaction\` in ${inner}`,
      );
    return ignored(`it ends in ${suffix}`);
  }
  if (parseFlyway(file.replace(/\.[^.]*$/, ''), 'sql')?.kind !== 'migration' || !file.includes('__'))
    return { kind: 'other' };
  const runByFlyway = RUN_BY_FLYWAY.exec(file);
  if (runByFlyway !== null)
    return misnamed(`no ${runByFlyway[1]} file can be run here: write it as .sql, .ts or .js.`);
  if (!/\.\w{1,8}$/.test(file.slice(file.indexOf('__'))))
    return misnamed(`it has no extension: call it ${file}.sql.`);
  return ignored('its extension is neither .sql nor that of code');
}

const COMMANDS_THAT_FLYWAY_HAS = /^(before|after)(Clean|Info|Check|Deploy|Snapshot|Prepare)/;

function parseCallback(stem: string, language: Language): FileName | undefined {
  const [, word, description = ''] = /^([a-zA-Z]+)(?:__(.*))?$/s.exec(stem) ?? [];
  if (word === undefined) return undefined;
  const moment = CALLBACK_MOMENTS.find((each) => each === word);
  if (moment !== undefined) return { kind: 'callback', moment, description: describe(description), language };
  const meant = CALLBACK_MOMENTS.find((each) => each.toLowerCase() === word.toLowerCase());
  if (meant !== undefined) return misnamed(`the moment is written ${meant}.`);
  if (!/^(before|after)[A-Z]|^createSchema$/.test(word)) return undefined;
  if (COMMANDS_THAT_FLYWAY_HAS.test(word)) return ignored(`there is no command for ${word} here`);
  if (language === 'code') return undefined;
  return misnamed(
    `no callback is called ${word}. ${didYouMean(nearest(word, CALLBACK_MOMENTS))}` +
      `The moments are ${CALLBACK_MOMENTS.join(', ')}; a name that begins with _ is left alone.`,
  );
}

const didYouMean = (word: string | undefined) => (word === undefined ? '' : `Did you mean ${word}? `);

const FLYWAY_KINDS = {
  V: 'versioned',
  R: 'repeatable',
  U: 'undo',
  B: 'baseline',
} as const satisfies Record<string, MigrationKind>;

function parseFlyway(stem: string, language: Language): FileName | undefined {
  const letter = stem[0] as keyof typeof FLYWAY_KINDS;
  if (!Object.hasOwn(FLYWAY_KINDS, letter)) return undefined;
  const migration = FLYWAY_KINDS[letter];
  const named = letter === 'V' ? splitDirection(stem, language) : { stem, direction: undefined };
  const [, before = '', after] = /^.(.*?)(?:__(.*))?$/s.exec(named.stem) ?? [];
  if (migration === 'repeatable') {
    if (before !== '' || after === undefined || after === '') return undefined;
    return { kind: 'migration', migration, description: describeFlyway(after), language };
  }
  const version = readVersion(before);
  if (version === undefined) return undefined;
  return {
    kind: 'migration',
    migration: named.direction === 'down' ? 'undo' : migration,
    version,
    description: describeFlyway(after ?? ''),
    language,
  };
}

/** Versions without a letter: `001`, `20260131120000_x`, `1700000000000-X`, `2026.01.31T12.00.00.x`, `2026-01-31-x`. */
function parseNumbered(stem: string, language: Language): FileName | undefined {
  const named = splitDirection(stem, language);
  const numbered = readNumber(named.stem);
  if (numbered === undefined) return undefined;
  // Postgrator: 001.do.create-orders.sql.
  const [word, postgrator] = /^\.(do|undo)(?=\.)/.exec(numbered.rest) ?? [''];
  const isDown = named.direction === 'down' || (language === 'sql' && postgrator === 'undo');
  return {
    kind: 'migration',
    migration: isDown ? 'undo' : 'versioned',
    version: numbered.version,
    description: describe(language === 'sql' ? numbered.rest.slice(word.length) : numbered.rest),
    language,
  };
}

function parseRest(file: string, stem: string, language: Language): FileName {
  const corrected = correctedFlywayName(stem, language);
  if (corrected !== undefined) {
    // Where the letter is the only fault, the underscores are two already.
    const fault =
      corrected.toLowerCase() === stem.toLowerCase() ? `a capital ${corrected[0]!}` : 'two underscores';
    return misnamed(`call it ${corrected}${file.slice(stem.length)}, with ${fault}.`);
  }
  if (language === 'code') return ignored('its name has no version');
  return misnamed(
    `its name has no version. Call it V<version>__${stem}.sql to have it run once, R__${stem}.sql to have it ` +
      `run whenever it changes, or _${stem}.sql to have it left alone.`,
  );
}

/** `x.up` and `x.down` (golang-migrate), `x.do` and `x.undo`. Code holds both directions in one file. */
function splitDirection(stem: string, language: Language) {
  const [suffix, word] = /\.(up|down|do|undo)$/.exec(stem) ?? [''];
  if (language === 'code' || word === undefined) return { stem, direction: undefined };
  return {
    stem: stem.slice(0, -suffix.length),
    direction: word === 'up' || word === 'do' ? ('up' as const) : ('down' as const),
  };
}

const UMZUG_TIME = /^(\d{4})\.(\d\d)\.(\d\d)T(\d\d)\.(\d\d)\.(\d\d)(?=[-_. ]|$)/;
const ISO_DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[-T_](\d\d)[-.]?(\d\d)[-.]?(\d\d))?(?=[-_. ]|$)/;
const NUMBER = /^\d+(?:\.\d+)*(?=[-_. ]|$)/;

function readNumber(text: string): { version: Version; rest: string } | undefined {
  const date = UMZUG_TIME.exec(text) ?? ISO_DATE.exec(text);
  const [match] = date ?? NUMBER.exec(text) ?? [];
  if (match === undefined) return undefined;
  // Dates become the 14 digits that other tools write, so that both sort together.
  const digits = date?.slice(1).map((part: string | undefined) => part ?? '00');
  return { version: parseVersion(digits?.join('') ?? match), rest: text.slice(match.length) };
}

function readVersion(text: string): Version | undefined {
  return /^\d+(?:[._]\d+)*$/.test(text) ? parseVersion(text) : undefined;
}

/** As Flyway has it, spaces at the ends included: its history holds the same. */
const describeFlyway = (text: string) => text.replaceAll('_', ' ');
const describe = (text: string) => describeFlyway(text.replace(/^[-_. ]+/, ''));

import type { AppliedMigration, HistoryType, ResolvedMigration } from '../../../src/migrations/migration';
import type { Plan, PlanEntry } from '../../../src/migrations/planning/plan';
import { parseVersion } from '../../../src/migrations/version';

const SUFFIXES = String.raw`(\*|~|\.ts|\.jdbc|\.code|\.crlf|\.bare|\.sha|\.odd)*!?`;
const VERSIONED = new RegExp(`^(V|B|U|baseline|D)([\\d.]+?)(${SUFFIXES})$`);
const REPEATABLE = new RegExp(`^(R|DR)([a-z]+)(${SUFFIXES})$`);

/**
 * A word of a table -> what it stands for. Files: `V1`, `V1*` (edited), `V1~` (renamed), `V1.ts`, `Rview`, `B5`, `U1`,
 * `U1.ts`. Rows: `V1`, `V1!` (failed), `V1.jdbc` (code, no checksum), `V1.code` (code with one), `V1.crlf` (applied
 * with other line ends, both checksums), `V1.bare` (SQL without a checksum), `V1.sha` (Prisma's),
 * `V1.odd` (a type nobody knows), `U1`, `D1` (DELETE), `baseline5`, `B5` (SQL_BASELINE), `Rview`, `DRview`, `schema`.
 */
function read(word: string) {
  const [, letter = word, name = '', flags = ''] = VERSIONED.exec(word) ?? REPEATABLE.exec(word) ?? [];
  const has = (flag: string) => flags.includes(flag);
  const isVersioned = VERSIONED.test(word);
  return {
    letter,
    version: isVersioned ? parseVersion(name) : undefined,
    description: has('~') ? 'renamed' : isVersioned ? 'x' : name,
    checksum: has('*') ? 2 : 1,
    has,
    script: `${letter}${name}`,
  };
}

const words = (text: string) => text.split(' ').filter((word) => word !== '');

export function filesOf(text: string): ResolvedMigration[] {
  return words(text).map((word) => {
    const { letter, version, description, checksum, has, script } = read(word);
    const kinds = { V: 'versioned', R: 'repeatable', U: 'undo', B: 'baseline' } as const;
    const body = has('.ts')
      ? ({ kind: 'code', path: `/${word}`, direction: 'up' } as const)
      : ({ kind: 'sql', path: `/${word}` } as const);
    return {
      kind: kinds[letter as keyof typeof kinds],
      ...(version !== undefined && { version }),
      description,
      script,
      checksum,
      sha256: `sha-${checksum}`,
      body,
    };
  });
}

export function rowsOf(text: string): AppliedMigration[] {
  return words(text).map((word, index) => {
    const { letter, version, description, checksum, has, script } = read(word);
    const types: Record<string, HistoryType> = {
      V: 'SQL',
      R: 'SQL',
      U: 'UNDO_SQL',
      B: 'SQL_BASELINE',
      baseline: 'BASELINE',
      D: 'DELETE',
      DR: 'DELETE',
      schema: 'SCHEMA',
    };
    const type =
      has('.jdbc') || has('.code') ? 'JDBC' : has('.odd') ? ('SPRING_JDBC' as HistoryType) : types[letter]!;
    const hasChecksum = !['.jdbc', '.bare', '.sha'].some(has) && ['V', 'R', 'U', 'B'].includes(letter);
    return {
      installedRank: index + 1,
      ...(version !== undefined && { version }),
      description,
      type,
      script: script.replace('DR', 'R'),
      ...(hasChecksum && { checksum }),
      ...(has('.sha') && { sha256: `sha-${checksum}` }),
      ...(has('.crlf') && { sha256: 'sha-crlf' }),
      installedBy: 'test',
      installedOn: new Date('2026-01-31T12:00:00Z'),
      executionTimeMs: 1,
      success: !has('!'),
    };
  });
}

/** `V1 SUCCESS` where file and row belong together, `+V2 PENDING` for a file alone, `-V3 MISSING` for a row alone. */
export function inShort({ migration, row, state }: PlanEntry): string {
  const sign = migration === undefined ? '-' : row === undefined ? '+' : '';
  return `${sign}${(migration ?? row)!.script} ${state}`;
}

/** Entries, what to run, and why not, in a line each. */
export function summary({ entries, pending, problems }: Plan) {
  return {
    entries: entries.map(inShort).join(', '),
    pending: pending.map(({ script }) => script).join(' '),
    refused: problems.map(({ script, state }) => `${script} ${state}`).join(', '),
  };
}

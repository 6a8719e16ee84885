import fc from 'fast-check';
import type { AppliedMigration, ResolvedMigration } from '../../../src/migrations/migration';
import { plan } from '../../../src/migrations/planning/make-plan';
import type { Plan, PlanOptions } from '../../../src/migrations/planning/plan';
import { compareVersions } from '../../../src/migrations/version';
import { filesOf, rowsOf } from './notation';

const numbers = ['1', '1.1', '2', '3', '10'];
const file = fc.oneof(
  fc.tuple(
    fc.constantFrom('V', 'V', 'V', 'B', 'U'),
    fc.constantFrom(...numbers),
    fc.constantFrom('', '*', '~', '.ts'),
  ),
  fc.tuple(fc.constant('R'), fc.constantFrom('a', 'b'), fc.constantFrom('', '*')),
);
const row = fc.oneof(
  fc.tuple(
    fc.constantFrom('V', 'V', 'V', 'V', 'U', 'D', 'B', 'baseline'),
    fc.constantFrom(...numbers),
    fc.constantFrom('', '', '', '*', '!', '.jdbc', '.bare', '.sha'),
  ),
  fc.tuple(fc.constantFrom('R', 'R', 'DR'), fc.constantFrom('a', 'b'), fc.constantFrom('', '*', '!')),
  fc.constant(['schema', '', ''] as const),
);
/** One file of a kind and a version, as the sources see to it. */
const files = fc
  .uniqueArray(file, { selector: ([kind, name]) => `${kind}${name}`, maxLength: 12 })
  .map((each) => filesOf(each.map((parts) => parts.join('')).join(' ')));
const rows = fc
  .array(row, { maxLength: 14 })
  .map((each) => rowsOf(each.map((parts) => parts.join('')).join(' ')));
const options = fc.record({ outOfOrder: fc.boolean(), step: fc.option(fc.nat(6), { nil: undefined }) });

const check = (
  property: (input: {
    resolved: ResolvedMigration[];
    applied: AppliedMigration[];
    options: PlanOptions;
  }) => void,
) =>
  fc.assert(fc.property(fc.record({ resolved: files, applied: rows, options }), property), { numRuns: 500 });

function comesBefore(first: ResolvedMigration, second: ResolvedMigration): boolean {
  if (first.version && second.version) return compareVersions(first.version, second.version) < 0;
  return (
    first.version !== undefined || (second.version === undefined && first.description < second.description)
  );
}

/** What the history would hold after a run that went well. */
function afterwards(applied: readonly AppliedMigration[], { pending }: Plan): AppliedMigration[] {
  return [
    ...applied,
    ...pending.map(
      ({ kind, version, description, script, checksum, sha256, body }, index): AppliedMigration => ({
        installedRank: applied.length + index + 1,
        ...(version !== undefined && { version }),
        description,
        type: kind === 'baseline' ? 'SQL_BASELINE' : body.kind === 'code' ? 'JDBC' : 'SQL',
        script,
        checksum,
        sha256,
        installedBy: 'test',
        installedOn: new Date(),
        executionTimeMs: 1,
        success: true,
      }),
    ),
  ];
}

test('every file and every row is in one entry, and no entry is empty', () => {
  check((input) => {
    const { entries } = plan(input);
    const sorted = (ranks: (number | undefined)[]) => ranks.toSorted((a, b) => (a ?? 0) - (b ?? 0));
    const planned = entries.flatMap(({ migration }) => migration ?? []);
    expect(planned).toHaveLength(input.resolved.length);
    expect(new Set(planned)).toEqual(new Set(input.resolved));
    expect(sorted(entries.flatMap((each) => each.row?.installedRank ?? []))).toEqual(
      input.applied.map(({ installedRank }) => installedRank),
    );
    expect(entries.every((each) => each.migration !== undefined || each.row !== undefined)).toBe(true);
  });
});

test('rows stay in the order in which they were written', () => {
  check((input) => {
    const ranks = plan(input).entries.flatMap((each) => each.row?.installedRank ?? []);
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  });
});

test('what is to run goes by version, repeatable ones by description after them, each at most once, as many as asked', () => {
  check((input) => {
    const { pending } = plan(input);
    expect(new Set(pending).size).toBe(pending.length);
    expect(pending.length).toBeLessThanOrEqual(input.options.step ?? Infinity);
    const inOrder = pending.slice(1).every((after, index) => comesBefore(pending[index]!, after));
    expect(inOrder).toBe(true);
    expect(pending.every(({ kind }) => kind !== 'undo')).toBe(true);
  });
});

test('nothing below an applied version runs unless it may', () => {
  check((input) => {
    const { pending, version } = plan(input);
    const isLate = (each: ResolvedMigration) =>
      each.version !== undefined && version !== undefined && compareVersions(each.version, version) < 0;
    expect(input.options.outOfOrder === true || !pending.some(isLate)).toBe(true);
  });
});

test('after a run nothing is pending, and nothing new is refused', () => {
  check(({ resolved, applied, options: { outOfOrder } }) => {
    const first = plan({ resolved, applied, options: { outOfOrder } });
    const second = plan({ resolved, applied: afterwards(applied, first), options: { outOfOrder } });
    expect(second.pending).toEqual([]);
    const before = new Set(first.problems.map(({ script, state }) => `${script} ${state}`));
    expect(second.problems.filter(({ script, state }) => !before.has(`${script} ${state}`))).toEqual([]);
  });
});

test('step by step it runs the same as at once', () => {
  check(({ resolved, applied, options: { outOfOrder } }) => {
    const atOnce = plan({ resolved, applied, options: { outOfOrder } });
    let history = applied;
    const stepwise: ResolvedMigration[] = [];
    for (;;) {
      const next = plan({ resolved, applied: history, options: { outOfOrder, step: 1 } });
      if (next.pending.length === 0) break;
      stepwise.push(...next.pending);
      history = afterwards(history, next);
    }
    expect(stepwise).toEqual(atOnce.pending);
  });
});

test('what stops a run is in the entries, and what failed is among them', () => {
  check((input) => {
    const { entries, problems, failed } = plan(input);
    for (const { script, state } of problems)
      expect(entries).toContainEqual(
        expect.objectContaining({
          state,
          [entries.find((each) => each.state === state && each.migration?.script === script)
            ? 'migration'
            : 'row']: expect.objectContaining({ script }),
        }),
      );
    expect(failed).toEqual(entries.filter(({ state }) => state.endsWith('FAILED')));
  });
});

/** Told in the simplest way that could be right: a version is applied when its last event is a run. */
test('a plain history is read as anybody would', () => {
  check(({ resolved, applied }) => {
    const plain = applied.filter(
      ({ type, success }) => success && ['SQL', 'UNDO_SQL', 'DELETE'].includes(type),
    );
    const versions = resolved.filter(({ kind, body }) => kind === 'versioned' && body.kind === 'sql');
    const isApplied = (each: ResolvedMigration) =>
      plain.findLast(({ version }) => version && compareVersions(version, each.version!) === 0)?.type ===
      'SQL';
    const made = plan({ resolved: versions, applied: plain, options: { outOfOrder: true } });
    expect(made.pending).toEqual(
      versions.filter((each) => !isApplied(each)).sort((a, b) => compareVersions(a.version!, b.version!)),
    );
  });
});

/** Versions that count how often they are looked at: a version is looked at through its parts. */
function counted(count: number) {
  let looks = 0;
  const versionOf = (number: number) => {
    const parts = [BigInt(number)];
    return {
      text: String(number),
      get parts() {
        looks++;
        return parts;
      },
    };
  };
  const [file1] = filesOf('V1');
  const [row1] = rowsOf('V1');
  const resolved = Array.from({ length: count }, (_, index) => ({
    ...file1!,
    version: versionOf(index + 1),
    script: `V${index + 1}`,
  }));
  const applied = Array.from({ length: count - 100 }, (_, index) => ({
    ...row1!,
    version: versionOf(index + 1),
    installedRank: index + 1,
  }));
  return { resolved, applied, looks: () => looks };
}

test('10,000 files and 10,000 rows are planned at once, and the work grows with their number, not its square', () => {
  const small = counted(1000);
  plan(small);
  const large = counted(10_000);
  const start = performance.now();
  const { pending, problems } = plan(large);
  const elapsedMs = performance.now() - start;
  expect([pending.length, problems.length]).toEqual([100, 0]);
  expect(large.looks() / small.looks()).toBeLessThan(15);
  process.stdout.write(`10,000 x 10,000 planned in ${elapsedMs.toFixed(0)} ms\n`);
});

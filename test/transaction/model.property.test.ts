import fc from 'fast-check';
import { currentTransaction, runInTransaction } from 'holdfast';
import { useEntries } from './entries.js';
import type { Call, Op } from './model.js';
import { predict, type Verdict } from './model.js';

const entries = useEntries({ max: 30 });

const programs = fc
  .letrec<{ op: Op; call: Call; isolatedCall: Call; body: Op[] }>((tie) => ({
    op: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 4, arbitrary: fc.constant<Op>({ kind: 'insert', label: '' }) },
      {
        weight: 1,
        arbitrary: fc.constantFrom<Op>({ kind: 'throw' }, { kind: 'fail' }, { kind: 'setRollbackOnly' }),
      },
      { weight: 5, arbitrary: tie('call') },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('parallel' as const),
          // A plain branch that failed on the server would fail the others or not, as time has it.
          branches: fc.array(
            fc.oneof(tie('isolatedCall'), fc.constant({ kind: 'insert' as const, label: '' })),
            { minLength: 2, maxLength: 3 },
          ),
        }),
      },
    ),
    call: callOf(tie('body'), ['REQUIRED', 'NESTED', 'REQUIRES_NEW']),
    isolatedCall: callOf(tie('body'), ['NESTED', 'REQUIRES_NEW']),
    body: fc.array(tie('op'), { maxLength: 4 }),
  }))
  .body.map(label);

function callOf(body: fc.Arbitrary<Op[]>, modes: Call['propagation'][]): fc.Arbitrary<Call> {
  return fc.record({
    kind: fc.constant('call' as const),
    propagation: fc.constantFrom(...modes),
    body,
    caught: fc.boolean(),
  });
}

/** Gives every insert a label of its own. */
function label(program: readonly Op[]): Op[] {
  let next = 1;
  const one = <O extends Op>(op: O): O => {
    if (op.kind === 'insert') return { ...op, label: `${next++}` };
    if (op.kind === 'call') return { ...op, body: op.body.map(one) };
    return op.kind === 'parallel' ? { ...op, branches: op.branches.map(one) } : op;
  };
  return program.map(one);
}

async function run(body: readonly Op[]): Promise<void> {
  for (const op of body) await runOne(op);
}

async function runOne(op: Op): Promise<void> {
  switch (op.kind) {
    case 'insert':
      return entries.add(op.label);
    case 'fail':
      return void (await entries.pool.query('SELECT 1/0'));
    case 'throw':
      throw new Error('thrown by the program');
    case 'setRollbackOnly':
      return currentTransaction()!.setRollbackOnly();
    case 'call': {
      const call = runInTransaction(() => run(op.body), { propagation: op.propagation });
      return op.caught ? call.catch(() => undefined) : call;
    }
    case 'parallel': {
      const ends = await Promise.allSettled(op.branches.map(runOne));
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    }
  }
}

async function observe(program: readonly Op[]): Promise<Verdict> {
  await entries.db.query('DELETE FROM entry');
  const outcome = await runInTransaction(() => run(program)).then(
    () => 'resolves' as const,
    () => 'rejects' as const,
  );
  return { committed: await entries.committed(), outcome };
}

const sorted = ({ committed, outcome }: Verdict): Verdict => ({ committed: [...committed].sort(), outcome });

test('what random programs leave in the database is what the model says', async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      expect(sorted(await observe(program))).toEqual(sorted(predict(program)));
      expect(entries.managed.counts()).toMatchObject({ inUse: 0, pending: 0 });
    }),
    { numRuns: 300, timeout: 60_000 },
  );
});

import fc from 'fast-check';
import { Lane, StatementQueue } from '../../src/transaction/statement-queue.js';

/** One step of a random history. `lane` picks among the lanes that are open at that moment. */
type Step =
  | { readonly kind: 'submit'; readonly lane: number; readonly turns: number; readonly fails: boolean }
  | { readonly kind: 'enter' }
  | { readonly kind: 'leave'; readonly refuse: boolean }
  | { readonly kind: 'refuse'; readonly lane: number }
  | { readonly kind: 'alone' }
  | { readonly kind: 'turn' };

const lane = fc.nat({ max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      lane,
      turns: fc.nat({ max: 3 }),
      fails: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('enter' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), refuse: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), lane }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('alone' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
);

class Refused extends Error {}
class Failed extends Error {}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Drives a queue as scopes do, and watches what becomes of each statement. */
class Driver {
  readonly root = new Lane('root');
  readonly queue = new StatementQueue(this.root);
  /** Entered lanes, outermost first. */
  readonly open: Lane[] = [this.root];
  readonly asked = new Map<Lane, number[]>();
  readonly ran = new Map<Lane, number[]>();
  readonly outcomes: Promise<string>[] = [];
  readonly violations: string[] = [];
  refused = 0;
  private running = 0;
  private next = 0;

  submit({ lane: pick, turns, fails }: Step & { kind: 'submit' }): void {
    const to = this.open[pick % this.open.length]!;
    const number = this.next++;
    this.note(this.asked, to, number);
    const work = (): Promise<string> =>
      this.exclusively(async () => {
        if (this.open.at(-1) !== to)
          this.violations.push(`statement ${number} ran beside an open inner lane`);
        this.note(this.ran, to, number);
        for (let left = turns; left > 0; left--) await Promise.resolve();
        if (fails) throw new Failed();
        return 'ran';
      });
    this.follow(this.queue.submit(to, work), fails ? 'failed' : 'ran');
  }

  /** As Scope does: entering is a statement of the lane around it. */
  async enter(): Promise<void> {
    const inner = new Lane('inner');
    await this.settled();
    await this.queue.submit(this.open.at(-1)!, () =>
      this.exclusively(async () => {
        this.queue.enter(inner);
        this.open.push(inner);
      }),
    );
  }

  /** As Transaction does: a lane is left when it is drained, or its waiting statements are refused. */
  async leave(refuse: boolean): Promise<void> {
    const inner = this.open.at(-1)!;
    if (inner === this.root) return;
    if (refuse) this.refuse(inner);
    await this.queue.alone(() =>
      this.exclusively(async () => {
        this.open.pop();
        this.queue.leave(inner);
      }),
    );
  }

  refuse(outer: Lane): void {
    this.queue.refuse(outer, () => {
      this.refused++;
      return new Refused();
    });
  }

  async alone(): Promise<void> {
    await this.queue.alone(() => this.exclusively(turn));
  }

  /** Waits until nothing runs, so that the next step meets the queue as a scope's method would. */
  async settled(): Promise<void> {
    await this.queue.drained();
  }

  private async exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (++this.running > 1) this.violations.push('two at once');
    try {
      return await work();
    } finally {
      this.running--;
    }
  }

  private follow(call: Promise<string>, expected: string): void {
    const outcome = call.catch((error: unknown) => {
      if (error instanceof Refused) return 'refused';
      return error instanceof Failed ? 'failed' : String(error);
    });
    this.outcomes.push(
      outcome.then((end) => (end === expected || end === 'refused' ? end : `${end}, not ${expected}`)),
    );
  }

  private note(map: Map<Lane, number[]>, of: Lane, number: number): void {
    map.set(of, [...(map.get(of) ?? []), number]);
  }
}

async function play(steps: readonly Step[]): Promise<Driver> {
  const driver = new Driver();
  for (const each of steps) {
    if (each.kind === 'submit') driver.submit(each);
    else if (each.kind === 'enter') await driver.enter();
    else if (each.kind === 'leave') await driver.leave(each.refuse);
    else if (each.kind === 'refuse') driver.refuse(driver.open[each.lane % driver.open.length]!);
    else if (each.kind === 'alone') await driver.alone();
    else await turn();
  }
  while (driver.open.length > 1) await driver.leave(false);
  await driver.settled();
  return driver;
}

test('whatever lanes do: never two at once, in order, nothing lost, and it drains', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const driver = await play(steps);
      const outcomes = await Promise.all(driver.outcomes);

      expect(driver.violations).toEqual([]);
      expect(outcomes.filter((outcome) => !['ran', 'failed', 'refused'].includes(outcome))).toEqual([]);
      expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(driver.refused);
      let ran = 0;
      for (const [lane_, numbers] of driver.ran) {
        ran += numbers.length;
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        expect(driver.asked.get(lane_)).toEqual(expect.arrayContaining(numbers));
      }
      expect(ran + driver.refused).toBe(outcomes.length);
    }),
    { numRuns: 500 },
  );
});

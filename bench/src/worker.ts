import { VARIANTS } from './variants.js';
import { ACCOUNTS, type Scenario } from './workload.js';

/** What a worker process is told to do; it answers each with a {@link SliceResult}. */
export type Order =
  | {
      readonly kind: 'slice';
      readonly scenario: Scenario;
      readonly concurrency: number;
      readonly forMs: number;
      /** Goes on until there were so many transactions, even when the time is over. */
      readonly atLeast?: number;
    }
  /** One transaction, committed, or rolled back by an error after its statements. */
  | { readonly kind: 'once'; readonly scenario: Scenario | 'empty'; readonly rollBack?: boolean }
  | { readonly kind: 'empty'; readonly times: number };

export interface SliceResult {
  readonly transactions: number;
  readonly seconds: number;
  /** Processor time of the whole process, in seconds. */
  readonly cpuSeconds: number;
  /** Milliseconds of each transaction. */
  readonly latencies: Float64Array;
}

export interface WorkerStart {
  readonly variant: string;
  readonly url: string;
  readonly poolSize: number;
  readonly writer: number;
}

async function main(): Promise<void> {
  const start = JSON.parse(process.argv[2] ?? '{}') as WorkerStart;
  const { writer } = start;
  const variant = await VARIANTS[start.variant]!.open(start);
  let next = 0;
  const nextAccount = (): number => writer * ACCOUNTS + (next++ % ACCOUNTS);

  const slice = async (order: Order & { kind: 'slice' }): Promise<SliceResult> => {
    const { scenario, concurrency, forMs, atLeast = 0 } = order;
    const latencies: number[] = [];
    const cpu = process.cpuUsage();
    const began = performance.now();
    const end = began + forMs;
    const loop = async (): Promise<void> => {
      for (let from = performance.now(); from < end || latencies.length < atLeast;) {
        await variant.run(scenario, { account: nextAccount(), writer });
        const now = performance.now();
        latencies.push(now - from);
        from = now;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, loop));
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    return {
      transactions: latencies.length,
      seconds,
      cpuSeconds: (user + system) / 1e6,
      latencies: Float64Array.from(latencies),
    };
  };

  const once = async ({ scenario, rollBack }: Order & { kind: 'once' }): Promise<SliceResult> => {
    const failure = new Error('rolled back on purpose');
    if (scenario === 'empty') await variant.empty();
    else {
      const run = variant.run(scenario, { account: nextAccount(), writer }, rollBack ? failure : undefined);
      await run.catch((error: unknown) => {
        if (error !== failure) throw error;
      });
    }
    return { transactions: rollBack ? 0 : 1, seconds: 0, cpuSeconds: 0, latencies: new Float64Array() };
  };

  const empty = async ({ times }: Order & { kind: 'empty' }): Promise<SliceResult> => {
    const began = performance.now();
    for (let count = 0; count < times; count++) await variant.empty();
    const seconds = (performance.now() - began) / 1000;
    return { transactions: times, seconds, cpuSeconds: seconds, latencies: new Float64Array() };
  };

  const obey = (order: Order): Promise<SliceResult> => {
    if (order.kind === 'slice') return slice(order);
    return order.kind === 'once' ? once(order) : empty(order);
  };
  process.on('message', (order: Order) => {
    obey(order).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ error: String((error as Error).stack ?? error) }),
    );
  });
  process.once('disconnect', () => void variant.close().finally(() => process.exit()));
  process.send?.({ ready: true });
}

if (require.main === module) void main();

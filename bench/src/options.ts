import { parseArgs } from 'node:util';
import { type ComparisonId, COMPARISONS, type Link, LINKS, VARIANTS } from './variants.js';
import { SCENARIOS, type Scenario } from './workload.js';

export interface BenchOptions {
  readonly quick: boolean;
  /** Whether COMMIT waits for the disk, as in production. */
  readonly durable: boolean;
  /** The variants of each comparison; only comparisons that have any. */
  readonly variants: ReadonlyMap<ComparisonId, readonly string[]>;
  readonly links: readonly Link[];
  readonly scenarios: readonly Scenario[];
  /** Undefined: what each comparison asks for. */
  readonly concurrency: readonly number[] | undefined;
  /** How often the processes of all variants are started anew. */
  readonly epochs: number;
  /** Slices of each variant, per cell and epoch. */
  readonly rounds: number;
  readonly sliceMs: number;
  /** Transactions of each scenario before anything counts: V8 needs some thousands to compile all of TypeORM's path. */
  readonly warmUp: number;
  readonly delayMs: number;
  readonly cpuProfile: string | undefined;
}

export const POOL_SIZE = 10;

/** Reads the command line. Throws for what it does not know. */
export function readBenchOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      durable: { type: 'boolean', default: false },
      comparisons: { type: 'string' },
      variants: { type: 'string' },
      links: { type: 'string' },
      scenarios: { type: 'string' },
      concurrency: { type: 'string' },
      epochs: { type: 'string' },
      rounds: { type: 'string' },
      'slice-ms': { type: 'string' },
      'delay-ms': { type: 'string' },
      'cpu-profile': { type: 'string' },
      before: { type: 'string' },
    },
  });
  const { quick, durable } = values;
  return {
    quick,
    durable,
    variants: readVariants(values),
    links: choose(values.links, LINKS) ?? LINKS,
    scenarios: choose(values.scenarios, SCENARIOS) ?? SCENARIOS,
    concurrency: values.concurrency?.split(',').map(Number),
    epochs: Number(values.epochs ?? (quick ? 1 : 2)),
    rounds: Number(values.rounds ?? (quick ? 5 : 11)),
    sliceMs: Number(values['slice-ms'] ?? (quick ? 80 : 180)),
    warmUp: quick ? 2500 : 8000,
    delayMs: Number(values['delay-ms'] ?? 1),
    cpuProfile: values['cpu-profile'],
  };
}

function readVariants(values: {
  comparisons?: string | undefined;
  variants?: string | undefined;
  before?: string | undefined;
}): Map<ComparisonId, string[]> {
  const comparisons = choose(values.comparisons, Object.keys(COMPARISONS)) ?? Object.keys(COMPARISONS);
  const asked = choose(values.variants, Object.keys(VARIANTS));
  const variants = new Map<ComparisonId, string[]>();
  for (const [id, { comparison, holdfast }] of Object.entries(VARIANTS)) {
    if (!comparisons.includes(comparison)) continue;
    if (asked ? !asked.includes(id) : holdfast === 'before' && values.before === undefined) continue;
    variants.set(comparison, [...(variants.get(comparison) ?? []), id]);
  }
  return variants;
}

function choose<T extends string>(asked: string | undefined, known: readonly T[]): T[] | undefined {
  return asked?.split(',').map((name) => {
    const found = known.find((candidate) => candidate === name);
    if (found === undefined) throw new Error(`"${name}" is not one of ${known.join(', ')}`);
    return found;
  });
}

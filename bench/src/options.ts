import { parseArgs } from 'node:util';
import { VARIANTS } from './variants.js';
import { SCENARIOS, type Scenario } from './workload.js';

export const LINKS = ['loopback', 'delayed'] as const;
export type Link = (typeof LINKS)[number];

export interface BenchOptions {
  readonly quick: boolean;
  /** Whether COMMIT waits for the disk, as in production. */
  readonly durable: boolean;
  readonly variants: readonly string[];
  readonly links: readonly Link[];
  readonly scenarios: readonly Scenario[];
  readonly concurrency: readonly number[];
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
  const usual = Object.keys(VARIANTS).filter((id) => values.before !== undefined || !id.endsWith('-before'));
  return {
    quick,
    durable,
    variants: choose(values.variants, Object.keys(VARIANTS)) ?? usual,
    links: choose(values.links, LINKS) ?? LINKS,
    scenarios: choose(values.scenarios, SCENARIOS) ?? SCENARIOS,
    concurrency: values.concurrency?.split(',').map(Number) ?? [1, 32],
    epochs: Number(values.epochs ?? (quick ? 1 : 2)),
    rounds: Number(values.rounds ?? (quick ? 5 : 11)),
    sliceMs: Number(values['slice-ms'] ?? (quick ? 80 : 180)),
    warmUp: quick ? 2500 : 8000,
    delayMs: Number(values['delay-ms'] ?? 1),
    cpuProfile: values['cpu-profile'],
  };
}

function choose<T extends string>(asked: string | undefined, known: readonly T[]): T[] | undefined {
  return asked?.split(',').map((name) => {
    const found = known.find((candidate) => candidate === name);
    if (found === undefined) throw new Error(`"${name}" is not one of ${known.join(', ')}`);
    return found;
  });
}

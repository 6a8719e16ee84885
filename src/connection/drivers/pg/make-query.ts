import { isDeepStrictEqual } from 'node:util';
import type { PgQuery, PgQueryConstructor, PgQueryResult } from './pg-types.js';

/** A config of which every property is known to {@link assemble}. */
interface KnownConfig {
  readonly text: string;
  readonly name?: string;
  readonly values?: unknown[];
  readonly rowMode?: string;
  readonly types?: object;
}

const KNOWN: ReadonlySet<string> = new Set(['text', 'name', 'values', 'rowMode', 'types']);

/** Whether a query that is assembled is one as that constructor makes it. */
const proven = new WeakMap<PgQueryConstructor, boolean>();

/**
 * Makes pg's `Query` of a text or a config. pg copies a config by the descriptors of its properties, which takes more than
 * ten times as long as all else about a query: one that holds nothing unusual, as Prisma's does, goes around that.
 */
export function makeQuery(Query: PgQueryConstructor, config: unknown, values: unknown): PgQuery {
  if (values !== undefined || !isKnown(config)) return new Query(config, values);
  let known = proven.get(Query);
  if (known === undefined) proven.set(Query, (known = assemblesAlike(Query)));
  return known ? assemble(Query, config) : new Query(config, values);
}

function isKnown(config: unknown): config is KnownConfig {
  if (typeof config !== 'object' || config === null) return false;
  if (Object.getPrototypeOf(config) !== Object.prototype) return false;
  for (const key in config) if (!KNOWN.has(key)) return false;
  return typeof (config as { text?: unknown }).text === 'string';
}

/** What `new Query(config)` is, without the copy of the config. */
function assemble(Query: PgQueryConstructor, { text, name, values, rowMode, types }: KnownConfig): PgQuery {
  const query = new Query(text) as Writable<PgQuery>;
  const { constructor: Result } = query._result as { constructor: new (...args: unknown[]) => PgQueryResult };
  query.name = name;
  query.values = values;
  query.types = types;
  query._rowMode = rowMode;
  query._result = new Result(rowMode, types);
  query._results = query._result;
  return query as PgQuery;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] | undefined };

/** Asks the constructor itself: its fields are no public API. */
function assemblesAlike(Query: PgQueryConstructor): boolean {
  const text = 'SELECT $1';
  const samples: KnownConfig[] = [
    { text },
    { text, name: 'holdfast', values: [1], rowMode: 'array', types: { getTypeParser: () => String } },
  ];
  try {
    return samples.every((sample) => isDeepStrictEqual(assemble(Query, sample), new Query(sample)));
  } catch {
    return false;
  }
}

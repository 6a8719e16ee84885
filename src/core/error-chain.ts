/** Anything that was thrown and can have led from something else. */
export type ErrorLink = Readonly<Record<string, unknown>>;

/** No chain that means something is longer, and one that leads back to itself must end. */
const LONGEST = 20;

/**
 * What was thrown and whatever led to it, nearest first: causes, the driver's error inside TypeORM's and Prisma's,
 * the errors of an `AggregateError`.
 */
export function errorChain(thrown: unknown): readonly ErrorLink[] {
  const chain = new Set<ErrorLink>();
  const queue = [thrown];
  for (let link = queue.shift(); queue.length > 0 || link !== undefined; link = queue.shift()) {
    if (!isLink(link) || chain.has(link)) continue;
    if (chain.size === LONGEST) break;
    chain.add(link);
    const errors = memberOf(link, 'errors');
    queue.push(
      memberOf(link, 'driverError'),
      memberOf(memberOf(link, 'meta'), 'driverAdapterError'),
      memberOf(link, 'cause'),
      ...(Array.isArray(errors) ? errors : []),
    );
  }
  return [...chain];
}

/** The code of one link: an SQLSTATE, or what a driver, an ORM or the application calls its error. */
export function codeOf(link: ErrorLink): string | undefined {
  return [memberOf(link, 'code'), memberOf(link, 'originalCode')].find((code) => typeof code === 'string');
}

/** A member of anything; `undefined` where there is none, or where reading it throws. */
export function memberOf(owner: unknown, key: string): unknown {
  try {
    return (owner as Partial<Record<string, unknown>> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

function isLink(value: unknown): value is ErrorLink {
  return typeof value === 'object' && value !== null;
}

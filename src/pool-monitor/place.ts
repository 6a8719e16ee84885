/** A place in the application's own code, through its source map where it has one. */
export interface Place {
  /** The function there, as V8 names it: `OrderService.place`; `undefined` at the top of a module. */
  readonly function: string | undefined;
  /** Relative to the working directory where it is below it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/**
 * How a place is written in messages and keys.
 *
 * @example
 * ```ts
 * formatPlace(lease.place); // 'OrderService.place (src/order.service.ts:42)'
 * ```
 */
export function formatPlace(place: Place): string {
  const at = `${place.file}:${place.line}`;
  return place.function ? `${place.function} (${at})` : at;
}

/** `mysql2/promise` wraps the pool in callback style, which is the one that lends. */
export function corePoolOf(pool: unknown): object {
  const { pool: core } = (pool ?? {}) as { pool?: unknown };
  return typeof core === 'object' && core !== null ? core : Object(pool);
}

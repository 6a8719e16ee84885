import { createRequire } from 'node:module';
import { join } from 'node:path';
import { InvalidOptionsError } from '../../core/index.js';

/** A driver that migrations can be run with. */
export type DriverName = 'pg' | 'mysql2' | 'mariadb';

/**
 * Loads a driver that the application has: as its own folder sees it, then as the installed holdfast does.
 * Throws `InvalidOptionsError` with the command that installs it.
 *
 * @example
 * ```ts
 * const { Pool } = loadDriver('pg', process.cwd()) as typeof import('pg');
 * ```
 */
export function loadDriver(name: DriverName, cwd: string): unknown {
  const found = findDriver(name, cwd);
  if (found !== undefined) return found;
  throw new InvalidOptionsError(
    `The driver ${name} is not installed in ${cwd}. Install it there: npm install ${name}`,
  );
}

/**
 * {@link loadDriver}, or `undefined` where it is not installed. What a driver throws while it loads is thrown.
 *
 * @example
 * ```ts
 * const hasMariadb = findDriver('mariadb', process.cwd()) !== undefined;
 * ```
 */
export function findDriver(name: DriverName, cwd: string): unknown {
  const application = join(cwd, 'package.json');
  // `npx holdfast` in an empty folder, and package managers that show a package its own dependencies alone.
  const places = [application, resolveFrom(application, 'holdfast/package.json'), process.argv[1]];
  for (const place of places) {
    const path = place === undefined ? undefined : resolveFrom(place, name);
    if (path !== undefined) return loadOutsideCloudflare(path);
  }
  return undefined;
}

/**
 * pg makes a `Response` while it is loaded, to learn whether it runs on Cloudflare; for that Node 20 loads its HTTP client,
 * which takes half of the time. It asks `navigator` first, which Node has from 21 on: Node 20 has it for this one call.
 */
function loadOutsideCloudflare(path: string): unknown {
  const load = createRequire(path);
  if ('navigator' in globalThis) return load(path);
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'Node.js' }, configurable: true });
  try {
    return load(path);
  } finally {
    Reflect.deleteProperty(globalThis, 'navigator');
  }
}

function resolveFrom(place: string, specifier: string): string | undefined {
  try {
    return createRequire(place).resolve(specifier);
  } catch {
    return undefined;
  }
}

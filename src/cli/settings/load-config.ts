import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { HoldfastError, messageOf } from '../../core/index.js';
import type { HoldfastConfig } from '../../migrations/index.js';
import { UsageError } from '../usage-error.js';

/** What only code can use: a program cannot be handed a pool or a listener by a file. */
const CODE_ONLY = ['pool', 'cwd', 'onEvent'];

/** Loads and checks a configuration file. Throws `UsageError` or `InvalidOptionsError` naming the file and the option. */
export async function loadConfig(path: string): Promise<HoldfastConfig> {
  const exported = await evaluate(path);
  const config = typeof exported === 'function' ? await call(path, exported as () => unknown) : exported;
  if (typeof config !== 'object' || config === null || Object.keys(config).length === 0)
    throw new UsageError(
      `${path} exports no configuration. Write \`export default defineConfig({ … })\`, ` +
        '`module.exports = { … }` in CommonJS, or an object in JSON.',
    );
  const misplaced = CODE_ONLY.find((name) => name in config);
  if (misplaced !== undefined)
    throw new UsageError(
      `${path}: options.${misplaced} is for createMigrator() in code. Take it out of the file` +
        `${misplaced === 'pool' ? ' and give url or urlFile' : ''}.`,
    );
  const { readMigratorOptions } = await import('../../migrations/index.js');
  readMigratorOptions(config, `${path}: options`);
  return config as HoldfastConfig;
}

/** Through jiti whatever the module's kind: its errors name line and column, which Node's own import keeps to itself. */
async function evaluate(path: string): Promise<unknown> {
  try {
    if (extname(path) === '.json') return JSON.parse(readFileSync(path, 'utf8')) as unknown;
    const { createJiti } = await import('jiti');
    return await createJiti(path).import(path, { default: true });
  } catch (error) {
    throw new UsageError(unreadable(path, error), { cause: error });
  }
}

async function call(path: string, make: () => unknown): Promise<unknown> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new UsageError(unreadable(path, error), { cause: error });
  }
}

/** The place is in the message of jiti for what cannot be parsed, and in the frames of what the file throws. */
function unreadable(path: string, error: unknown): string {
  const message = messageOf(error);
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const told = placeIn(message, path);
  const place = told ?? placeIn(stack, path) ?? path;
  const said = (told === undefined ? message : message.replace(told, '')).replaceAll(/\s*\n\s*/g, ' ').trim();
  return `${place}: the configuration file cannot be read: ${said}`;
}

/** `path:line` or `path:line:column`, where the text has it. */
function placeIn(text: string, path: string): string | undefined {
  const at = text.indexOf(`${path}:`);
  const [place] = /^:\d+(?::\d+)?/.exec(text.slice(at + path.length)) ?? [];
  return at === -1 || place === undefined ? undefined : path + place;
}

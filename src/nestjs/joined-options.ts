import type { ModulesContainer } from '@nestjs/core';
import { InvalidOptionsError, processGlobal } from '../core/index.js';
import type { HoldfastModuleOptions } from './options.js';

type JoinedOptions = { -readonly [Key in keyof HoldfastModuleOptions]: HoldfastModuleOptions[Key] };

/** What the imports of HoldfastModule in one application have asked for so far. */
const joined = processGlobal(
  'holdfast.joined-module-options/1',
  () => new WeakMap<ModulesContainer, JoinedOptions>(),
);

/**
 * Adds what one import of HoldfastModule asks for to what the others of its application do. Throws
 * `InvalidOptionsError` for another value than one of them has given.
 */
export function joinOptions(modules: ModulesContainer, asked: HoldfastModuleOptions): HoldfastModuleOptions {
  const options = joined.get(modules) ?? {};
  for (const key of Object.keys(asked) as (keyof HoldfastModuleOptions)[]) {
    if (options[key] !== undefined && options[key] !== asked[key]) {
      throw new InvalidOptionsError(
        `HoldfastModule is imported twice in this application, and the two give different values of ${key}. ` +
          'Import it once, in the root module: it is global.',
      );
    }
  }
  joined.set(modules, Object.assign(options, asked));
  return options;
}

import { createRequire } from 'node:module';
import type * as Umzug from 'umzug';

type UmzugModule = typeof Umzug;

let loaded: Promise<UmzugModule> | undefined;

/**
 * umzug without what its module loads at its head and is not used here: its command line, which is 115 files and 0.12 s, more
 * than a whole `up` of 30 files takes otherwise, and its globs. An empty module stands in for each while umzug is loaded, in
 * one synchronous call; then all are forgotten, so that an application that requires umzug gets all of it. Where modules are
 * not CommonJS (or a bundler or a test runner has replaced `require`), umzug is loaded as it is.
 */
export function loadUmzug(): Promise<UmzugModule> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<UmzugModule> {
  return (typeof require === 'function' && withoutUnused(require)) || import('umzug');
}

const UNUSED = ['./cli.js', 'tinyglobby'];

function withoutUnused({ cache, resolve }: NodeJS.Require): UmzugModule | undefined {
  const umzug = resolved(resolve, 'umzug/lib/umzug.js');
  if (umzug === undefined || cache[umzug]) return undefined;
  const ofUmzug = createRequire(umzug);
  const standIns = UNUSED.map((file) => resolved(ofUmzug.resolve, file)).filter(
    (path) => path !== undefined && !cache[path],
  ) as string[];
  for (const path of standIns) cache[path] = { exports: {}, loaded: true, id: path } as NodeModule;
  try {
    return ofUmzug(umzug) as UmzugModule;
  } catch {
    return undefined;
  } finally {
    for (const path of [umzug, ...standIns]) delete cache[path];
  }
}

function resolved(resolve: NodeJS.RequireResolve, file: string): string | undefined {
  try {
    return resolve(file);
  } catch {
    return undefined;
  }
}

import type * as Umzug from 'umzug';

type UmzugModule = typeof Umzug;

/**
 * umzug without its command line, which its module loads at its head: 115 files and 0.12 s, more than a whole `up` of
 * 30 files takes otherwise. An empty module stands in for it while umzug is loaded, in one synchronous call; then both are
 * forgotten, so that an application that requires umzug gets all of it. Where modules are not CommonJS (or a bundler or a
 * test runner has replaced `require`), umzug is loaded as it is.
 */
export async function loadUmzug(): Promise<UmzugModule> {
  return (typeof require === 'function' && withoutCommandLine(require)) || import('umzug');
}

function withoutCommandLine(load: NodeJS.Require): UmzugModule | undefined {
  const [umzug, commandLine] = ['umzug/lib/umzug.js', 'umzug/lib/cli.js'].map((file) => resolved(load, file));
  if (!umzug || !commandLine || load.cache[umzug] || load.cache[commandLine]) return undefined;
  load.cache[commandLine] = { exports: {}, loaded: true, id: commandLine } as NodeModule;
  try {
    return load(umzug) as UmzugModule;
  } catch {
    return undefined;
  } finally {
    delete load.cache[commandLine];
    delete load.cache[umzug];
  }
}

function resolved(load: NodeJS.Require, file: string): string | undefined {
  try {
    return load.resolve(file);
  } catch {
    return undefined;
  }
}

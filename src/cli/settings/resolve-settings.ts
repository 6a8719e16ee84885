import { dirname, isAbsolute, resolve } from 'node:path';
import { nearest } from '../../core/index.js';
import type { HoldfastConfig, MigratorOptions } from '../../migrations/index.js';
import type { Host } from '../terminal.js';
import { UsageError } from '../usage-error.js';
import { findConfig, namedConfig } from './find-config.js';
import { loadConfig } from './load-config.js';
import {
  APP_PASSWORD_VARIABLE,
  CONFIG_VARIABLE,
  ENV_PREFIX,
  PLACEHOLDER_PREFIX,
  type Setting,
  SETTINGS,
} from './settings-table.js';

/** What the command line, the environment and the configuration file come to. */
export interface Settings {
  readonly options: MigratorOptions;
  readonly configFile: string | undefined;
  /** Where each option was set: `url` -> `DATABASE_URL`. Those that nobody set are not in it. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Of one origin: path in the options -> value and what it was set by. */
type Layer = Map<string, { readonly value: unknown; readonly source: string }>;

/**
 * Flags are stronger than the environment, which is stronger than the configuration file. A list replaces a weaker
 * one, placeholders are added to weaker ones, and a `url` takes the place of a weaker `urlFile` and the reverse.
 * Throws `UsageError` or `InvalidOptionsError`.
 */
export async function resolveSettings(
  flags: Readonly<Record<string, unknown>>,
  { env, cwd }: Pick<Host, 'env' | 'cwd'>,
): Promise<Settings> {
  refuseUnknownVariables(env);
  const named = (flags['config'] as string | undefined) ?? nonEmpty(env[CONFIG_VARIABLE]);
  const configFile = named === undefined ? findConfig(cwd) : namedConfig(named, cwd);
  const folder = configFile === undefined ? cwd : dirname(configFile);
  const merged: Layer = new Map([['directories', { value: [resolve(folder, 'migrations')], source: '' }]]);
  if (configFile !== undefined) {
    const config = await loadConfig(configFile);
    put(merged, absolute(layerOfFile(config, configFile), folder));
  }
  put(merged, absolute(layerOfEnvironment(env), cwd));
  put(merged, absolute(layerOfFlags(flags), cwd));
  const sources = new Map([...merged].map(([path, { source }]) => [path, source]));
  if (sources.get('directories') === '') sources.delete('directories');
  return { options: { ...optionsOf(merged), cwd }, configFile, sources };
}

function layerOfFile(config: HoldfastConfig, source: string): Layer {
  const { history, lock, ...rest } = config;
  const nested = (prefix: string, value: object | undefined): [string, unknown][] =>
    Object.entries(value ?? {}).map(([name, each]) => [`${prefix}.${name}`, each]);
  const entries = [
    ...Object.entries(rest),
    ...nested('history', typeof history === 'string' ? { format: history } : history),
    ...nested('lock', lock),
  ].filter(([, value]) => value !== undefined);
  const layer: Layer = new Map(entries.map(([path, value]) => [path as string, { value, source }]));
  refuseTwoUrls(layer, 'url', 'urlFile');
  return layer;
}

/** HOLDFAST_URL and HOLDFAST_URL_FILE are stronger than DATABASE_URL and DATABASE_URL_FILE: they are two layers for the url. */
function layerOfEnvironment(env: Host['env']): Layer {
  const general: Layer = new Map();
  const own: Layer = new Map();
  for (const { path, env: names, read } of SETTINGS)
    for (const name of names) {
      const text = nonEmpty(env[name]);
      if (text !== undefined)
        (name.startsWith(ENV_PREFIX) ? own : general).set(path, { value: read(text, name), source: name });
    }
  const placeholders = Object.entries(env).filter(([name]) => name.startsWith(PLACEHOLDER_PREFIX));
  if (placeholders.length > 0)
    own.set('placeholders', {
      value: Object.fromEntries(
        placeholders.map(([name, value]) => [name.slice(PLACEHOLDER_PREFIX.length), value]),
      ),
      source: `${PLACEHOLDER_PREFIX}…`,
    });
  refuseTwoUrls(general, 'DATABASE_URL', 'DATABASE_URL_FILE');
  refuseTwoUrls(own, 'HOLDFAST_URL', 'HOLDFAST_URL_FILE');
  put(general, own);
  return general;
}

function layerOfFlags(flags: Readonly<Record<string, unknown>>): Layer {
  const layer: Layer = new Map();
  for (const setting of SETTINGS) {
    const given = flags[flagName(setting)];
    const source = setting.flag.split(' ')[0]!;
    // commander answers true for a `--no-…` that was not given.
    if (given === undefined || (given === true && source.startsWith('--no-'))) continue;
    const values = ([given].flat() as (string | boolean)[]).map((each) => setting.read(String(each), source));
    layer.set(setting.path, { value: setting.repeatable ? joined(values) : values[0], source });
  }
  refuseTwoUrls(layer, '--url', '--url-file');
  return layer;
}

/** The name under which commander keeps a setting's flag. */
function flagName({ flag }: Setting): string {
  return flag
    .split(' ')[0]!
    .replace(/^--(?:no-)?/, '')
    .replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function joined(values: readonly unknown[]): unknown {
  return Array.isArray(values[0]) ? values.flat() : Object.assign({}, ...values);
}

function put(layer: Layer, stronger: Layer): void {
  for (const [path, entry] of stronger) {
    if (path === 'url') layer.delete('urlFile');
    if (path === 'urlFile') layer.delete('url');
    const weaker = layer.get(path)?.value;
    const value =
      path === 'placeholders' ? { ...(weaker as object), ...(entry.value as object) } : entry.value;
    layer.set(path, { ...entry, value });
  }
}

function absolute(layer: Layer, folder: string): Layer {
  const from = (path: string): string => (isAbsolute(path) ? path : resolve(folder, path));
  const directories = layer.get('directories');
  if (directories)
    layer.set('directories', { ...directories, value: (directories.value as string[]).map(from) });
  const urlFile = layer.get('urlFile');
  // A url is left for the reader of the options to refuse: as a path it would be shown.
  if (urlFile && !/^\s*[a-z][\w+.-]*:\/\//i.test(urlFile.value as string))
    layer.set('urlFile', { ...urlFile, value: from(urlFile.value as string) });
  return layer;
}

function optionsOf(layer: Layer): MigratorOptions {
  const options: Record<string, unknown> = {};
  for (const [path, { value }] of layer) {
    const [first, second] = path.split('.') as [string, string?];
    if (second === undefined) options[first] = value;
    else options[first] = { ...(options[first] as object | undefined), [second]: value };
  }
  return options as MigratorOptions;
}

function refuseTwoUrls(layer: Layer, url: string, urlFile: string): void {
  if (!layer.has('url') || !layer.has('urlFile')) return;
  const { source } = layer.get('url')!;
  const place = source === url ? '' : `${source}: `;
  throw new UsageError(`${place}${url} and ${urlFile} are both set. Keep one of them.`);
}

/** What Kubernetes sets for a service whose name begins with `holdfast`. */
const OF_KUBERNETES = /_(?:SERVICE_(?:HOST|PORT)|PORT)(?:_|$)/;

function refuseUnknownVariables(env: Host['env']): void {
  const known = [...SETTINGS.flatMap((setting) => setting.env), CONFIG_VARIABLE, APP_PASSWORD_VARIABLE];
  const unknown = Object.keys(env)
    .filter((name) => name.startsWith(ENV_PREFIX) && !name.startsWith(PLACEHOLDER_PREFIX))
    .find((name) => !known.includes(name) && !OF_KUBERNETES.test(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  throw new UsageError(
    `The environment variable ${unknown} is none of holdfast's${near ? `; did you mean ${near}?` : '.'} ` +
      `Known: ${known.filter((name) => name.startsWith(ENV_PREFIX)).join(', ')}, ${PLACEHOLDER_PREFIX}<name>.`,
  );
}

/** An empty variable counts as none: it is how a shell and a compose file leave one out. */
function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

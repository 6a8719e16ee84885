import { InvalidOptionsError } from '../../core/index.js';
import type { ConnectionUrl } from './connection-url.js';

/** Where in a PostgreSQL database a url says that things go. */
export interface UrlPlace {
  /** `schema=`: goes in front of the search path. */
  readonly schema?: string;
  /** `search_path=`: takes the place of the server's, and is written as the server reads it. */
  readonly searchPath?: string;
  /** The schema that new things and the history go into; absent where it is the server that finds it. */
  readonly home?: string;
}

/** Prisma's word, dbmate's and lib/pq's, and the JDBC driver's. */
const PATHS = ['search_path', 'currentSchema'] as const;

/** Words of other drivers for the same, without capitals and what is between their parts. */
const LIKE_A_PATH: ReadonlySet<string> = new Set([
  'schema',
  'schemas',
  'schemaname',
  'defaultschema',
  'currentschema',
  'searchpath',
  'schemasearchpath',
]);

/** Parameters that say of a server, a database or a role which it is, and that the drivers here do not read. */
const UNREAD: Readonly<Record<ConnectionUrl['dialect'], ReadonlyMap<string, string>>> = {
  postgres: new Map([
    ['hostaddr', 'Write the address as the host.'],
    ['socket', 'Write it as host=/folder.'],
    ['service', 'Write out what the service stands for.'],
    ['role', 'Write it as options=-c%20role=NAME.'],
    ['session_authorization', 'Connect as that user.'],
  ]),
  mysql: new Map([
    ['unix_socket', 'Write it as socket=/path.'],
    ['unixSocket', 'Write it as socket=/path.'],
  ]),
};

/**
 * What the url says of where things go. Throws `InvalidOptionsError` for what cannot be read, and for parameters that say
 * such a thing and would be passed over: the migrations would go somewhere else.
 */
export function readUrlPlace(url: ConnectionUrl): UrlPlace {
  const { dialect, params } = url;
  for (const [name, value] of params) refuseUnread(url, name, value);
  if (dialect === 'mysql') return {};
  const schema = given(params, 'schema');
  const paths = PATHS.filter((name) => params.has(name)).map((name) => given(params, name)!);
  const [searchPath] = paths;
  if (paths.some((path) => path !== searchPath))
    throw new InvalidOptionsError(`The database url gives both ${PATHS.join(' and ')}: keep one of them.`);
  const first = searchPath === undefined ? undefined : firstOf(searchPath);
  const home = schema ?? (first === '$user' ? undefined : first);
  return {
    ...(schema !== undefined && { schema }),
    ...(searchPath !== undefined && { searchPath }),
    ...(home !== undefined && { home }),
  };
}

function given(params: ConnectionUrl['params'], name: string): string | undefined {
  const value = params.get(name);
  if (value?.trim() === '')
    throw new InvalidOptionsError(
      `The database url's parameter ${name} is empty: name a schema, or leave it out.`,
    );
  return value;
}

function refuseUnread({ dialect, database, ...url }: ConnectionUrl, name: string, value: string): void {
  const advice = UNREAD[dialect].get(name) ?? adviceFor(name);
  if (advice !== undefined)
    throw new InvalidOptionsError(
      `The database url's parameter ${name} says where to go, and is not read here. ${advice}`,
    );

  function adviceFor(which: string): string | undefined {
    const isPath = LIKE_A_PATH.has(which.toLowerCase().replaceAll(/[^a-z]/g, ''));
    if (dialect === 'postgres') {
      if (which === 'dbname' || which === 'database') return value === database ? undefined : AT_THE_END;
      return isPath && which !== 'schema' && !PATHS.some((path) => path === which)
        ? 'Write it as schema=NAME or search_path=NAME.'
        : undefined;
    }
    if (isPath || ['database', 'dbname', 'db'].includes(which))
      return value === database ? undefined : AT_THE_END;
    if (which === 'host' || which === 'port' || which === 'user')
      return value === String(url[which]) ? undefined : 'Write it in front of the path of the url.';
    return undefined;
  }
}

const AT_THE_END = 'Put the database at the end of the path: …host:port/DATABASE.';

/** The first name of a list as the server reads it: without quotes in small letters, with quotes as it stands. */
function firstOf(searchPath: string): string {
  const names: string[] = [];
  const one = /\s*(?:"((?:[^"]|"")+)"|([^\s,"]+))\s*(,|$)/y;
  for (let end: string | undefined = ','; end === ',';) {
    const [, quoted, bare, next] = one.exec(searchPath) ?? [];
    if (next === undefined)
      throw new InvalidOptionsError(
        "The database url's search path is no list of schemas: write names with commas between them, and in double quotes those with capitals, commas or spaces.",
      );
    names.push(quoted?.replaceAll('""', '"') ?? bare!.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()));
    end = next;
  }
  return names[0]!;
}

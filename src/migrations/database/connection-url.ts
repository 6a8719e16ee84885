import { InvalidOptionsError } from '../../core/index.js';

/** A database url, taken apart. */
export interface ConnectionUrl {
  readonly dialect: 'postgres' | 'mysql';
  readonly scheme: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Without the brackets of an IPv6 address. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
  readonly params: ReadonlyMap<string, string>;
}

const DIALECTS: ReadonlyMap<string, 'postgres' | 'mysql'> = new Map([
  ['postgres', 'postgres'],
  ['postgresql', 'postgres'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
]);

const FORM = '`postgres://user:password@host:5432/database`, `mysql://…` or `mariadb://…`';

/**
 * Takes a database url apart. Throws `InvalidOptionsError`, which never holds any of the url behind its scheme: a url that
 * cannot be read may hold the password anywhere.
 */
export function readConnectionUrl(text: string): ConnectionUrl {
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):/i.exec(text) ?? [];
  const dialect = DIALECTS.get(scheme.toLowerCase());
  if (!dialect) throw new InvalidOptionsError(`The database url must begin as in ${FORM}.`);
  // `new URL` refuses an empty host with a user, which stands for a unix socket or the default host.
  const readable = text.replace(/^([^/]*:\/\/[^/?#]*@)(?=$|[/?])/, `$1${EMPTY_HOST}`);
  let url: URL;
  try {
    url = new URL(readable);
  } catch {
    throw unreadable();
  }
  const strayAt = url.username === '' && /@/.test(url.pathname + url.search);
  if (url.hash !== '' || strayAt) throw unreadable();
  for (const name of ONCE)
    if (new Set(url.searchParams.getAll(name)).size > 1)
      throw new InvalidOptionsError(
        `The database url gives ${name} twice, with two values: keep one of them.`,
      );
  const host = url.hostname === EMPTY_HOST ? '' : url.hostname;
  return {
    dialect,
    scheme: scheme.toLowerCase(),
    user: decoded(url.username),
    password: decoded(url.password),
    host: decoded(host.replace(/^\[(.*)\]$/, '$1')),
    port: url.port === '' ? undefined : Number(url.port),
    database: decoded(url.pathname.slice(1)),
    params: new Map(url.searchParams),
  };
}

/** Parameters that decide where things go: of two of them nobody knows which one is meant. */
const ONCE = ['schema', 'search_path', 'currentSchema', 'host', 'port', 'options'];

const EMPTY_HOST = 'holdfast-empty-host';

function unreadable(): InvalidOptionsError {
  return new InvalidOptionsError(
    `The database url cannot be read (it is not shown, for it may hold a password). Write it as ${FORM}, and write the characters # / ? @ : % of a user or password percent-encoded: # is %23, / is %2F, ? is %3F, @ is %40.`,
  );
}

/** A `%` that begins no escape stands for itself. */
function decoded(text: string): string | undefined {
  if (text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
      try {
        return decodeURIComponent(escapes);
      } catch {
        return escapes;
      }
    });
  }
}

/** Where a connection leads to, for people: no password, and none of the parameters, of which some are secrets too. */
export function describeAddress(parts: {
  scheme: string;
  user?: string | undefined;
  host?: string | undefined;
  port?: number | string | undefined;
  database?: string | undefined;
}): string {
  const user = parts.user ? `${encodeURIComponent(parts.user)}@` : '';
  const host = parts.host ?? 'localhost';
  const place = host.includes(':') ? `[${host}]` : host.startsWith('/') ? encodeURIComponent(host) : host;
  const port = parts.port === undefined || host.startsWith('/') ? '' : `:${parts.port}`;
  const database = parts.database ? `/${parts.database}` : '';
  return `${parts.scheme}://${user}${place}${port}${database}`;
}

import { readFileSync } from 'node:fs';
import { InvalidOptionsError } from '../../../core/index.js';
import type { ConnectionUrl } from '../connection-url.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** Options that both drivers take. */
export interface MysqlConnectionOptions {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: object;
  readonly connectTimeout: number;
  readonly multipleStatements: true;
  readonly connectAttributes: Readonly<Record<string, string>>;
  readonly allowPublicKeyRetrieval?: boolean;
}

/**
 * What a url says, as the drivers want it. Of the parameters those of TLS are read, in the words of mysql2 (`ssl`), of the
 * mysql client (`ssl-mode`, `sslmode`) and of Prisma (`sslaccept`, `sslcert`), and `socket`, `connect_timeout` (seconds)
 * and `allowPublicKeyRetrieval`; what else an application has in its url is passed over.
 */
export function mysqlOptionsOf(url: ConnectionUrl): MysqlConnectionOptions {
  const { host, port, user, password, database, params } = url;
  const socketPath =
    params.get('socketPath') ?? params.get('socket') ?? (host?.startsWith('/') ? host : undefined);
  const seconds = Number(params.get('connect_timeout') ?? Number.NaN);
  const ssl = readTls(params);
  return {
    ...(socketPath === undefined
      ? { host: host ?? 'localhost', ...(port !== undefined && { port }) }
      : { socketPath }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
    ...(ssl && { ssl }),
    connectTimeout: seconds > 0 ? seconds * 1000 : CONNECT_TIMEOUT_MS,
    multipleStatements: true,
    connectAttributes: { program_name: 'holdfast migrate' },
    ...(params.get('allowPublicKeyRetrieval') === 'true' && { allowPublicKeyRetrieval: true }),
  };
}

const OFF: ReadonlySet<string> = new Set(['false', '0', 'disable', 'disabled']);
const VERIFIED: ReadonlySet<string> = new Set([
  'true',
  '1',
  'verify_ca',
  'verify-ca',
  'verify_identity',
  'verify-full',
  'strict',
]);
/** As the mysql client and libpq mean them: TLS, whoever signed the certificate. */
const UNVERIFIED: ReadonlySet<string> = new Set([
  'required',
  'require',
  'prefer',
  'preferred',
  'accept_invalid_certs',
  'no-verify',
]);

function readTls(params: ReadonlyMap<string, string>): object | undefined {
  const name = ['ssl', 'ssl-mode', 'sslmode', 'sslaccept'].find((each) => params.has(each));
  const ca = params.get('ssl-ca') ?? params.get('sslrootcert') ?? params.get('sslcert');
  const authority = ca === undefined ? {} : { ca: readAuthority(ca) };
  if (name === undefined) return ca === undefined ? undefined : authority;
  const value = params.get(name)!;
  if (value.startsWith('{')) return readJson(value);
  const mode = value.toLowerCase();
  if (OFF.has(mode)) return undefined;
  if (VERIFIED.has(mode)) return { ...authority, rejectUnauthorized: true };
  if (UNVERIFIED.has(mode)) return { ...authority, rejectUnauthorized: false };
  throw new InvalidOptionsError(
    `The database url's parameter ${name} has an unknown value. Known are ${[...VERIFIED, ...UNVERIFIED, ...OFF].join(', ')}, and for ssl an object in JSON.`,
  );
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new InvalidOptionsError(
      `The certificate file ${path}, which the database url names, cannot be read.`,
    );
  }
}

function readJson(value: string): object {
  try {
    return JSON.parse(value) as object;
  } catch {
    throw new InvalidOptionsError("The database url's parameter ssl is no JSON.");
  }
}

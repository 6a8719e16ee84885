import type { ServerFacts } from '../session.js';

/** What is asked of the server when a session begins. */
export interface MysqlFacts {
  readonly server: ServerFacts;
  readonly backendId: number;
  readonly maxPacketBytes: number;
  /** How many warnings of a statement the server keeps. */
  readonly maxErrorCount: number;
  readonly sqlMode: string;
  readonly globalSqlMode: string;
}

type Query = <Row extends object>(text: string) => Promise<Row[]>;

const VARIABLES = [
  'max_allowed_packet',
  'max_error_count',
  'read_only',
  'sql_mode',
  'super_read_only',
  'transaction_read_only',
  'tx_read_only',
  'version_comment',
  'wsrep_on',
];

export async function readMysqlFacts(query: Query): Promise<MysqlFacts> {
  const [row] = await query<{ version: string; id: number; globalMode: string }>(
    'SELECT VERSION() AS version, CONNECTION_ID() AS id, @@GLOBAL.sql_mode AS globalMode',
  );
  // SHOW passes over what a server does not have.
  const rows = await query<{ Variable_name: string; Value: string }>(
    `SHOW VARIABLES WHERE Variable_name IN (${VARIABLES.map((name) => `'${name}'`).join(', ')})`,
  );
  const variables = new Map(rows.map(({ Variable_name: name, Value: value }) => [name, value]));
  const isOn = (name: string): boolean => !['OFF', '0', ''].includes(variables.get(name) ?? 'OFF');
  const { version, id, globalMode } = row!;
  const isMariadb = /mariadb/i.test(version + variables.get('version_comment'));
  const isReadOnly =
    isOn('super_read_only') ||
    isOn('transaction_read_only') ||
    isOn('tx_read_only') ||
    (isOn('read_only') && !(await mayWriteAnyway(query)));
  return {
    backendId: id,
    maxPacketBytes: Number(variables.get('max_allowed_packet') ?? 1_048_576),
    maxErrorCount: Number(variables.get('max_error_count') ?? 0),
    sqlMode: variables.get('sql_mode') ?? '',
    globalSqlMode: globalMode,
    server: {
      product: isMariadb ? 'mariadb' : 'mysql',
      version,
      versionNumber: readVersionNumber(version),
      supportsTransactionalDdl: false,
      isGalera: isOn('wsrep_on'),
      isReadOnly,
    },
  };
}

/** `5.5.5-10.11.4-MariaDB`, as old replication protocols want it, is 10.11.4. */
export function readVersionNumber(version: string): number {
  const [, major, minor, patch] = /^(?:5\.5\.5-)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return Number(major ?? 0) * 10_000 + Number(minor ?? 0) * 100 + Number(patch ?? 0);
}

/** read_only spares those who have one of these rights on everything. */
async function mayWriteAnyway(query: Query): Promise<boolean> {
  const grants = await query<Record<string, string>>('SHOW GRANTS').catch(() => []);
  return grants
    .flatMap((row) => Object.values(row))
    .some((grant) =>
      /^GRANT .*(?:ALL PRIVILEGES|SUPER|READ_ONLY ADMIN|CONNECTION_ADMIN).* ON \*\.\* /i.test(grant),
    );
}

export function isStrictMode(sqlMode: string): boolean {
  return /\b(?:STRICT_TRANS_TABLES|STRICT_ALL_TABLES|TRADITIONAL)\b/i.test(sqlMode);
}

/**
 * Both drivers switch IGNORE_SPACE on when they connect, and the server stores it in every routine that is created. The
 * mode without it; `undefined` where nothing is to change.
 */
export function withoutIgnoreSpace({
  sqlMode,
  globalSqlMode,
}: Pick<MysqlFacts, 'sqlMode' | 'globalSqlMode'>): string | undefined {
  const modes = sqlMode.split(',');
  if (!modes.includes('IGNORE_SPACE') || globalSqlMode.split(',').includes('IGNORE_SPACE')) return undefined;
  return modes.filter((mode) => mode !== 'IGNORE_SPACE').join(',');
}

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { FaultProxy } from '../../harness/fault-proxy.js';

/** The mariadb client of this machine, where there is one. */
export const mariadbClient: string | undefined = ['mariadb', 'mysql'].find((name) => {
  const version = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return version.error === undefined && version.stdout.includes('MariaDB');
});

/** What the client sends of a script, comments included, through a proxy that sees it. Errors of the server do not stop it. */
export async function sentByClient(
  proxy: FaultProxy,
  databaseUrl: string,
  script: string,
): Promise<string[]> {
  const { username, password, port, pathname } = new URL(proxy.url(databaseUrl));
  proxy.forget();
  const options = ['--force', '--comments', '--default-character-set=utf8mb4', '--protocol=tcp'];
  const client = spawn(
    mariadbClient!,
    [
      '--no-defaults',
      ...options,
      '--host=127.0.0.1',
      `--port=${port}`,
      `--user=${username}`,
      pathname.slice(1),
    ],
    { env: { ...process.env, MYSQL_PWD: decodeURIComponent(password) }, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  client.stdin.end(script);
  await once(client, 'close');
  // SELECT DATABASE() is what it asks for USE, which it does not send as a statement.
  return proxy.texts
    .filter((text) => text !== 'SELECT DATABASE()')
    .map(essence)
    .filter((text) => text !== '');
}

const COMMENTS =
  /('(?:[^'\\]|\\[^]|'')*'|"(?:[^"\\]|\\[^]|"")*"|`[^`]*`)|--(?=\s|\p{Cc}|$)[^\n]*|#[^\n]*|\/\*(?!M?!)[^]*?\*\/|\/\*M!999999[^]*?\*\//gu;

/** A statement without what both may send or not: comments, and the size of white space. */
export function essence(statement: string): string {
  return statement
    .replace(COMMENTS, (_, quoted: string | undefined) => quoted ?? ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

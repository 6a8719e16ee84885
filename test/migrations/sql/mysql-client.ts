import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { FaultProxy } from '../../harness/fault-proxy.js';

/** How the mariadb client is called, and the database that it talks to through a proxy that sees it. */
export interface ClientAtProxy {
  readonly program: string;
  readonly proxy: FaultProxy;
  readonly databaseUrl: string;
}

/** What the client sends of a script, comments included. Errors of the server do not stop it. */
export async function sentByClient(
  script: string,
  { program, proxy, databaseUrl }: ClientAtProxy,
): Promise<string[]> {
  const { username, password, port, pathname } = new URL(proxy.url(databaseUrl));
  proxy.forget();
  const options = ['--force', '--comments', '--default-character-set=utf8mb4', '--protocol=tcp'];
  const client = spawn(
    program,
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

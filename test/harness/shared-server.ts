import type { RunningServer } from './private-server';

/** The servers that this run started itself. */
export interface SharedServers {
  readonly postgres?: RunningServer | undefined;
  readonly mariadb?: RunningServer | undefined;
}

/** jest loads setup and teardown as separate module graphs; the global object is what they share. */
const key = Symbol.for('holdfast.test.servers');
const holder = globalThis as { [key]?: SharedServers };

export function sharedServers(): SharedServers {
  return holder[key] ?? {};
}

export function setSharedServers(servers: SharedServers): void {
  holder[key] = servers;
}

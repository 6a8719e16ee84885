import type { RunningPostgres } from './postgres';

/** jest loads setup and teardown as separate module graphs; the global object is what they share. */
const key = Symbol.for('holdfast.test.server');
const holder = globalThis as { [key]?: RunningPostgres | undefined };

export function sharedServer(): RunningPostgres | undefined {
  return holder[key];
}

export function setSharedServer(server: RunningPostgres | undefined): void {
  holder[key] = server;
}

import { createHash } from 'node:crypto';
import type { KeptConnection, OpenSession } from '../server/index.js';
import type { Envelope } from './envelope.js';

/** What a process learns when it meets the others. */
export interface Meeting {
  /** Whether this process is the one that sends. */
  readonly sends: boolean;
  /** By the session of each. */
  readonly others: ReadonlyMap<number, Envelope>;
}

/** Where the processes of a fleet meet, on one kind of database. */
export interface Board {
  /** Begins on a new session. Rejects with {@link NoBoardError} where there can be none. */
  join(session: OpenSession, onNews: () => void): Promise<void>;
  /** Stands for election, tells what there is to tell (packed; `undefined`: nothing), and hears the others. */
  meet(mine: string | undefined): Promise<Meeting>;
  /** Lets another one send. The session goes on. */
  leave(): Promise<void>;
}

export interface BoardOptions {
  readonly connection: KeptConnection;
  /** Of service and environment: the same in all processes that meet. */
  readonly fleet: string;
}

/** The database has no place where processes could meet; the message is the end of a sentence. */
export class NoBoardError extends Error {}

/** A name of the fleet that says nothing of it, and is in no SQL's way. */
export function fleetName(service: string, environment: string | undefined): string {
  const parts = JSON.stringify(['holdfast fleet', service, environment ?? null]);
  return createHash('sha256').update(parts).digest('hex').slice(0, 40);
}

import { setLogger } from 'holdfast';
import type { Logger } from 'holdfast';

/** What a test made holdfast log, and what escaped to the process. */
export interface Witness {
  /** The `error` field of each warning and error. */
  readonly logged: readonly unknown[];
  readonly messages: readonly string[];
  /** Uncaught errors and unhandled rejections. */
  readonly escaped: readonly unknown[];
}

/** Watches each test of the describe block; holdfast logs to nobody else meanwhile. */
export function useWitness(): Witness {
  const logged: unknown[] = [];
  const messages: string[] = [];
  const escaped: unknown[] = [];
  const escape = (error: unknown): void => void escaped.push(error);
  const note = (fields: object, message: string): void => {
    logged.push((fields as { error?: unknown }).error);
    messages.push(message);
  };
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: note, error: note };
  beforeEach(() => {
    for (const list of [logged, messages, escaped]) list.length = 0;
    setLogger(logger);
    process.on('unhandledRejection', escape);
    process.on('uncaughtException', escape);
  });
  afterEach(() => {
    setLogger(undefined);
    process.off('unhandledRejection', escape);
    process.off('uncaughtException', escape);
  });
  return { logged, messages, escaped };
}

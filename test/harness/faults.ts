import type { SeenStatement } from './seen-statement.js';
import type { ErrorFields } from './wire-messages.js';

/** What the proxy does when a matching statement comes by. */
export type Fault =
  /** The client gets this error, the server never gets the statement. A failing COMMIT rolls back. */
  | ({ readonly action: 'fail' } & ErrorFields)
  /** The connection is cut; the statement does not reach the server. */
  | { readonly action: 'cut-before' }
  /** The server executes the statement; the connection is cut in place of its answer. */
  | { readonly action: 'cut-after' }
  /** From this statement on nothing passes in either direction, and nothing is closed. */
  | { readonly action: 'black-hole' }
  /** The statement, and what follows it, waits until `release()`. */
  | { readonly action: 'hold' };

export interface ArmOptions {
  /** How many matching statements it acts on. Default: all. */
  readonly times?: number;
  /** Only on this connection (see `SeenStatement.connection`). Default: any. */
  readonly connection?: number;
}

/** A fault that waits for its statement. */
export class ArmedFault {
  /** Resolves when it has acted for the first time. */
  readonly fired: Promise<SeenStatement>;
  /** The statements that it acted on. */
  readonly hits: SeenStatement[] = [];
  private readonly released: Promise<void>;
  private announce: (statement: SeenStatement) => void = () => undefined;
  private open: () => void = () => undefined;
  private left: number;

  constructor(
    private readonly pattern: RegExp,
    readonly fault: Fault,
    private readonly options: ArmOptions,
  ) {
    this.left = options.times ?? Infinity;
    this.fired = new Promise((resolve) => (this.announce = resolve));
    this.released = new Promise((resolve) => (this.open = resolve));
  }

  disarm(): void {
    this.left = 0;
    this.open();
  }

  /** Lets a held statement go on. */
  release(): void {
    this.open();
  }

  whenReleased(): Promise<void> {
    return this.released;
  }

  /** True when it acts on the statement; counts it. */
  takes(statement: SeenStatement): boolean {
    const { connection } = this.options;
    if (this.left <= 0 || (connection !== undefined && connection !== statement.connection)) return false;
    // search() ignores lastIndex, so that a pattern with the flag "g" matches every time.
    if (statement.text.search(this.pattern) === -1) return false;
    this.left -= 1;
    this.hits.push(statement);
    return true;
  }

  act(statement: SeenStatement): void {
    this.announce(statement);
  }
}

/** A failed COMMIT ends its transaction; other failed statements leave it open and aborted. */
export function endsTransaction(text: string): boolean {
  return /^\s*(commit(?!\s+prepared)|end|prepare\s+transaction)\b/i.test(text);
}

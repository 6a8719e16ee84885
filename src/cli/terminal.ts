import type { Readable, Writable } from 'node:stream';
import picocolors from 'picocolors';
import { systemClock, type Timer } from '../core/index.js';

/** How long what is written to no terminal may wait for more of it. */
const GATHERED_MS = 50;

/** `process`, as far as the program knows it. Tests hand in their own. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

export type OutputStream = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

export type Colours = ReturnType<typeof picocolors.createColors>;

/** One of the two outputs: what may be written to it, and whether that can still be read. */
export class Output {
  readonly colours: Colours;
  readonly isTerminal: boolean;
  readonly stream: OutputStream;
  readonly #before: Output | undefined;
  #isClosed = false;

  /** What was written to `before` earlier is seen earlier, too. */
  constructor(stream: OutputStream, env: Host['env'], before?: Output) {
    this.stream = stream;
    this.#before = before;
    this.isTerminal = stream.isTTY === true && env['TERM'] !== 'dumb';
    this.colours = picocolors.createColors(hasColours(env, this.isTerminal));
    // `| head` ends before we do. The work goes on, for stopping a migration half-way is worse than not being heard.
    stream.on('error', () => (this.#isClosed = true));
  }

  /** Characters to a line; undefined where it is no terminal, so that nothing has to fit. */
  get width(): number | undefined {
    return this.isTerminal ? this.stream.columns || 80 : undefined;
  }

  write(text: string): void {
    this.#before?.flush();
    if (!this.#isClosed) this.stream.write(text);
  }

  /** Writes what still waits. */
  flush(): void {}

  line(text = ''): void {
    this.write(`${text}\n`);
  }
}

/**
 * An output that writes the first line at once and gathers those that follow within moments: 500 small migrations took 8 %
 * of their time to write a line each into a pipe. A terminal has each at once.
 */
class GatheringOutput extends Output {
  #waiting = '';
  #timer: Timer | undefined;
  #wroteAt = -Infinity;

  override write(text: string): void {
    if (this.isTerminal) return super.write(text);
    this.#waiting += text;
    if (this.#timer !== undefined) return;
    if (systemClock.now() - this.#wroteAt >= GATHERED_MS) this.flush();
    else this.#timer = systemClock.setTimer(() => this.flush(), GATHERED_MS);
  }

  override flush(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    this.#wroteAt = systemClock.now();
    super.write(text);
  }
}

/** https://no-color.org and https://force-color.org; picocolors itself looks at stdout and at CI, for both outputs. */
function hasColours(env: Host['env'], isTerminal: boolean): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return isTerminal;
}

/** Where the program writes: what was asked for to `out`, everything else to `err`. */
export interface Terminal {
  readonly out: Output;
  readonly err: Output;
}

export function terminalOf(host: Host): Terminal {
  const out = new GatheringOutput(host.stdout, host.env);
  return { out, err: new Output(host.stderr, host.env, out) };
}

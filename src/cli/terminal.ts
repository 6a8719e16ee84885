import type { Readable, Writable } from 'node:stream';
import picocolors from 'picocolors';

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
  #isClosed = false;

  constructor(stream: OutputStream, env: Host['env']) {
    this.stream = stream;
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
    if (!this.#isClosed) this.stream.write(text);
  }

  line(text = ''): void {
    this.write(`${text}\n`);
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
  return { out: new Output(host.stdout, host.env), err: new Output(host.stderr, host.env) };
}

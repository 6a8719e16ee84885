import { Writable } from 'node:stream';
import { Output, type Terminal } from '../../src/cli/terminal.js';

/** A stream that keeps what was written, of a terminal with so many columns or of none. */
export class Screen extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number | undefined;

  constructor(columns?: number) {
    super({ decodeStrings: false });
    this.isTTY = columns !== undefined;
    this.columns = columns;
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }

  get lines(): string[] {
    return this.text.replace(/\n$/, '').split('\n');
  }
}

export type Env = Readonly<Record<string, string>>;

export function outputOf(screen: Screen, env: Env = {}): Output {
  return new Output(screen as never, env);
}

export function terminalWith(out: Screen, err: Screen, env: Env = {}): Terminal {
  return { out: outputOf(out, env), err: outputOf(err, env) };
}

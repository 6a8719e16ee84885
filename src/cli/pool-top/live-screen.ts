import { messageOf } from '../../core/index.js';
import type { Host, Output } from '../terminal.js';
import { frameOf } from './frame.js';
import type { Snapshot, SnapshotSource } from './snapshot.js';
import { FIRST_STATE, pressed, type ViewState } from './view-state.js';

/** The other screen of the terminal, without a cursor; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_LINE_END = '\x1b[K';
const TO_SCREEN_END = '\x1b[J';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Shows snapshots until somebody quits. Rejects where the first one cannot be had; later ones are tried again. */
export async function showLive(
  source: SnapshotSource,
  { host, out, everyMs }: { readonly host: Host; readonly out: Output; readonly everyMs: number },
): Promise<void> {
  const screen = new LiveScreen(await source.load(), out);
  const { stdin } = host;
  let wake: () => void = () => undefined;
  const onKeys = (text: string): void => {
    screen.press(text);
    wake();
  };
  const onSignal = (): void => {
    screen.quit();
    wake();
  };
  const onResize = (): void => screen.draw();
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8').on('data', onKeys).resume();
  for (const signal of SIGNALS) process.on(signal, onSignal);
  out.stream.on('resize', onResize);
  out.write(ENTER);
  try {
    screen.draw();
    while (!screen.isOver) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (!screen.isOver && !screen.isPaused) await screen.load(source);
    }
  } finally {
    out.write(LEAVE);
    out.stream.off('resize', onResize);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    stdin.off('data', onKeys).pause();
    stdin.setRawMode?.(false);
  }
}

class LiveScreen {
  readonly #out: Output;
  #snapshot: Snapshot;
  #state: ViewState = FIRST_STATE;
  isOver = false;

  constructor(snapshot: Snapshot, out: Output) {
    this.#snapshot = snapshot;
    this.#out = out;
  }

  get isPaused(): boolean {
    return this.#state.isPaused;
  }

  quit(): void {
    this.isOver = true;
  }

  /** Several keys arrive as one text where they are typed fast, an arrow always does. */
  press(text: string): void {
    const isEscape = text.startsWith('\x1b');
    for (const key of isEscape ? [text] : text.split('')) {
      const next = pressed(key, this.#state);
      if (next === 'quit') return this.quit();
      this.#state = next;
    }
    this.draw();
  }

  async load(source: SnapshotSource): Promise<void> {
    try {
      this.#snapshot = await source.load();
    } catch (error) {
      this.#snapshot = { ...this.#snapshot, problem: messageOf(error) };
    }
    if (!this.isOver) this.draw();
  }

  draw(): void {
    const { stream, width, colours } = this.#out;
    const size = { width, height: stream.rows ?? 24, colours };
    const lines = frameOf(this.#snapshot, this.#state, size);
    this.#out.write(HOME + lines.map((line) => line + TO_LINE_END).join('\r\n') + TO_SCREEN_END);
  }
}

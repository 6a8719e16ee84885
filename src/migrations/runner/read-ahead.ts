import { statSync } from 'node:fs';
import type { MigrationEvent } from '../events.js';
import { contentOf } from '../sources/kept-content.js';
import { Script, type ScriptSource } from './script.js';

/** Of larger files the time goes to the server, and what several of them hold would be kept at once. */
const LARGEST_BYTES = 256 * 1024;

interface Opened {
  readonly script: Promise<Script>;
  /** What is to be told of it, once it is its turn. */
  readonly events: readonly MigrationEvent[];
}

/** Reads the next scripts while the server works on the one before them: of a small file the reading takes a tenth of the time. */
export class ReadAhead {
  #wanted: readonly ScriptSource[] = [];
  /** By their paths. */
  #opened: ReadonlyMap<string, Opened> = new Map();

  /**
   * Begins to read, once what is to be sent now is on its way. Never throws: what is wrong is told by {@link open}.
   * `onRead` is told of the first of them, as many as {@link open} would have nothing to tell of, if any.
   */
  begin(sources: readonly ScriptSource[], onRead: (scripts: readonly Script[]) => void): void {
    this.#wanted = sources;
    setImmediate(() => {
      if (this.#wanted !== sources) return;
      const opened = new Map<string, Opened>();
      for (const source of sources) {
        const { path } = source.body;
        if (contentOf(source.body) === undefined && !isSmall(path)) break;
        opened.set(path, this.#opened.get(path) ?? begin(source));
      }
      this.#opened = opened;
      void silentOnes([...opened.values()]).then((scripts) => {
        if (this.#wanted === sources && scripts.length > 0) onRead(scripts);
      });
    });
  }

  /** As `Script.open()`. */
  async open(source: ScriptSource): Promise<Script> {
    const { path } = source.body;
    const opened = this.#opened.get(path);
    this.#opened = new Map([...this.#opened].filter(([each]) => each !== path));
    this.#wanted = [];
    if (opened === undefined) return Script.open(source);
    try {
      return await opened.script;
    } finally {
      for (const event of opened.events) source.context.emit(event);
    }
  }
}

function begin(source: ScriptSource): Opened {
  const events: MigrationEvent[] = [];
  const emit = (event: MigrationEvent): void => void events.push(event);
  const script = Script.open({ ...source, context: { ...source.context, emit } });
  script.catch(() => undefined);
  return { script, events };
}

/** Up to the first that cannot be read, or has something to tell. */
async function silentOnes(opened: readonly Opened[]): Promise<readonly Script[]> {
  const scripts: Script[] = [];
  for (const { script, events } of opened) {
    const read = await script.catch(() => undefined);
    if (read === undefined || events.length > 0) break;
    scripts.push(read);
  }
  return scripts;
}

function isSmall(path: string): boolean {
  try {
    return statSync(path).size <= LARGEST_BYTES;
  } catch {
    return false;
  }
}

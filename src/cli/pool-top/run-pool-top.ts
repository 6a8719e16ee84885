import { type Logger, setLogger } from '../../core/index.js';
import type { Outcome, Task } from '../command.js';
import { APP_PASSWORD_VARIABLE } from '../settings/settings-table.js';
import { UsageError } from '../usage-error.js';
import { AppSource } from './app-source.js';
import { frameOf } from './frame.js';
import { showLive } from './live-screen.js';
import { openServerLook } from './server-source.js';
import type { Snapshot, SnapshotSource } from './snapshot.js';
import { FIRST_STATE } from './view-state.js';

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** The options of `pool top`. */
export interface PoolTopFlags {
  readonly app?: string;
  readonly once?: true;
  /** Milliseconds. */
  readonly every: number;
}

/** Shows the pools until somebody quits, or prints them once where nobody could. */
export async function runPoolTop(task: Task, { app, once, every }: PoolTopFlags): Promise<Outcome> {
  // What the monitor would log stands in the frame already, and lines between the frames would tear them.
  setLogger(SILENT);
  // The monitor's own connections hold no process open, and here there is nothing else that would.
  const hold = setInterval(() => undefined, 60_000);
  const source = await openSource(task, app).catch((error: unknown) => {
    clearInterval(hold);
    throw error;
  });
  try {
    const { out } = task.terminal;
    const isLive = !once && !task.isJson && out.isTerminal && task.host.stdin.isTTY === true;
    if (!isLive) return printed(await source.load());
    await showLive(source, { host: task.host, out, everyMs: every });
    return { exitCode: 0, result: {}, print: () => undefined };
  } finally {
    await source.close();
    clearInterval(hold);
  }
}

/** 1 where the server is all that was asked for, and it could not be seen. */
function printed(snapshot: Snapshot): Outcome {
  const { app, server } = snapshot;
  const isBlind = app === undefined && server !== undefined && server.connections === undefined;
  return {
    exitCode: isBlind ? 1 : 0,
    result: { app: snapshot.app ?? null, server: snapshot.server ?? null },
    print: (out) => {
      const size = { width: out.width, height: undefined, colours: out.colours };
      for (const line of frameOf(snapshot, FIRST_STATE, size)) out.line(line);
    },
  };
}

/** Beside --app the server is looked at where the command line names it; a DATABASE_URL is for other commands then. */
async function openSource({ settings, host }: Task, address: string | undefined): Promise<SnapshotSource> {
  const { options, sources } = settings;
  const namedBy = sources.get('url') ?? sources.get('urlFile');
  const hasServer = namedBy !== undefined && (address === undefined || namedBy.startsWith('--'));
  if (address === undefined && !hasServer)
    throw new UsageError(
      'Nothing says what to look at: give the status page of an application with --app, or the database with --url-file or DATABASE_URL.',
    );
  const app =
    address === undefined ? undefined : new AppSource(address, host.env[APP_PASSWORD_VARIABLE] || undefined);
  const server = hasServer ? await openServerLook(options) : undefined;
  return {
    load: async () => {
      const [status, report] = await Promise.all([app?.load(), server?.read()]);
      return { app: status, server: report };
    },
    close: async () => server?.close(),
  };
}

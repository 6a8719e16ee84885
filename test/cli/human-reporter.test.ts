import { InvalidOptionsError } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import type { LockHolder, MigrationEvent } from 'holdfast/migrations';
import { reporterFor } from '../../src/cli/output/reporter-for.js';
import { STILL_RUNNING_MS } from '../../src/cli/output/progress.js';
import type { Settings } from '../../src/cli/settings/resolve-settings.js';
import { Screen, terminalWith } from './screen.js';

const script = 'V3__add_orders.sql';
const started: MigrationEvent = { kind: 'started', script, number: 1, of: 2 };
const applied: MigrationEvent = { kind: 'applied', script, executionTimeMs: 1234, statements: 2 };
const progress: MigrationEvent = { kind: 'progress', script, statements: 7, bytes: 50, totalBytes: 100 };
const ESCAPE = String.fromCharCode(27);
const CLEAR_LINE = `${ESCAPE}[2K`;

interface Given {
  readonly out?: number;
  readonly err?: number;
  readonly isJson?: boolean;
  readonly settings?: Settings;
}

async function reporterOn({ out: outColumns, err: errColumns, isJson = false, settings }: Given = {}) {
  const out = new Screen(outColumns);
  const err = new Screen(errColumns);
  const clock = new ManualClock();
  const terminal = terminalWith(out, err, { NO_COLOR: '1' });
  const reporter = await reporterFor({ terminal, isJson, command: 'up', clock, settings });
  const tell = (...events: MigrationEvent[]): void => events.forEach((event) => reporter.event(event));
  return { out, err, clock, reporter, tell };
}

describe('without a terminal', () => {
  test('each event is a line: what was done on stdout, the rest on stderr', async () => {
    const { out, err, tell } = await reporterOn();
    tell(
      { kind: 'connected', database: 'postgres://shop@db/shop', server: 'postgres 18.4' },
      { kind: 'waiting for lock', holder: undefined },
      { kind: 'lock acquired', waitedMs: 3200 },
      { kind: 'planned', to: 'run', scripts: ['V3__add_orders.sql', 'V4__x.sql'] },
      started,
      progress,
      {
        kind: 'warning',
        script,
        line: 12,
        warning: { code: '1265', level: 'warning', message: 'Data truncated' },
      },
      { kind: 'note', script, message: 'statement 3 was resumed' },
      applied,
      { kind: 'started', script: 'V4__x.sql', number: 2, of: 2 },
      { kind: 'failed', script: 'V4__x.sql', message: 'no' },
    );

    expect(out.lines).toEqual(['✓ V3__add_orders.sql  1.2 s', '✗ V4__x.sql']);
    expect(err.lines).toEqual([
      'postgres://shop@db/shop (postgres 18.4)',
      'Waiting for the lock: the holder is not known.',
      'Got the lock after 3.2 s.',
      '2 migrations to run.',
      'V3__add_orders.sql:12: warning 1265: Data truncated',
      'V3__add_orders.sql: statement 3 was resumed',
    ]);
  });

  test('what a callback tells after the failure comes after what the failure says', async () => {
    const { err, reporter, tell } = await reporterOn();
    tell(
      { kind: 'failed', script, message: 'no such table' },
      { kind: 'note', script: 'afterMigrateError.sql', message: 'The callback failed: no such log.' },
    );
    expect(err.text).toBe('');
    reporter.failure(new InvalidOptionsError('V3__add_orders.sql:1:1: no such table.'), 1);
    tell({ kind: 'note', message: 'later' });

    expect(err.lines).toEqual([
      'V3__add_orders.sql:1:1: no such table.',
      'afterMigrateError.sql: The callback failed: no such log.',
      'later',
    ]);
  });

  test('what runs for long is told again and again, and no more when it is over', async () => {
    const { err, clock, tell } = await reporterOn();
    tell(started);
    clock.advance(STILL_RUNNING_MS);
    tell(progress);
    clock.advance(STILL_RUNNING_MS);
    tell(applied);
    clock.advance(10 * STILL_RUNNING_MS);

    expect(err.lines).toEqual([
      'V3__add_orders.sql runs for 30.0 s',
      'V3__add_orders.sql runs for 1 min 00 s, 50 % of the file sent',
    ]);
  });
});

test.each<[LockHolder, string]>([
  [{}, 'held by a session that says nothing of itself'],
  [
    {
      host: 'web-2',
      pid: 4711,
      backendId: 12,
      user: 'shop',
      since: new Date('2026-01-31T12:00:00Z'),
      migration: script,
    },
    'held by web-2, process 4711, session 12, user shop, since 2026-01-31 12:00:00 UTC, applying V3__add_orders.sql',
  ],
])('the holder %j of the lock is told', async (holder, text) => {
  const { err, tell } = await reporterOn();
  tell({ kind: 'waiting for lock', holder });

  expect(err.lines).toEqual([`Waiting for the lock: ${text}.`]);
});

describe('on a terminal', () => {
  test('a line shows the running file, and gives way to what is written', async () => {
    const { out, err, clock, tell } = await reporterOn({ out: 100, err: 100 });
    tell(started);
    expect(err.text).toContain('[1/2]  V3__add_orders.sql  0 ms');
    clock.advance(61_000);
    tell(progress, { kind: 'note', message: 'a note' });

    expect(err.text).toMatch(/\[1\/2\] {2}V3__add_orders\.sql {2}━+─+ {3}50 % {2}7 statements {2}1 min 01 s/);
    const note = err.text.indexOf('a note\n');
    expect(err.text.slice(0, note)).toMatch(new RegExp(`${ESCAPE}\\[2K$`));
    expect(err.text.slice(note)).toContain('[1/2]');
    tell(applied);
    expect(err.text.endsWith(CLEAR_LINE)).toBe(true);
    expect(out.lines).toEqual(['✓ V3__add_orders.sql  1.2 s']);
  });

  test('the line goes when stderr is one and stdout is not', async () => {
    const { out, err, tell } = await reporterOn({ err: 40 });
    tell(started, applied);

    expect(out.text).toBe('✓ V3__add_orders.sql  1.2 s\n');
    expect(err.text.endsWith(CLEAR_LINE)).toBe(true);
  });

  test('neither the cursor nor the wrapping of the terminal is switched off', async () => {
    const { err, tell } = await reporterOn({ err: 40 });
    tell(started, progress, applied);

    expect(err.text).not.toMatch(new RegExp(`${ESCAPE}\\[\\?(25|7)l`));
  });
});

test('a password with quotes leaves JSON that can be read', async () => {
  const settings = {
    options: { url: `postgres://shop:a"b"c"d@db/shop` },
    configFile: undefined,
    sources: new Map(),
  };
  const { out, reporter } = await reporterOn({ isJson: true, settings });
  reporter.failure(new Error('with a"b"c"d'), 1);

  expect(JSON.parse(out.text)).toMatchObject({ message: 'with ***' });
});

describe('what must not be told', () => {
  const settings = (url: string): Settings => ({
    options: { url },
    configFile: undefined,
    sources: new Map(),
  });
  const password = 'p%40ss"w0rd';

  test.each(['human', 'json'])(
    'the url and its password, whoever put them into a message: %s',
    async (kind) => {
      const url = `postgres://shop:${password}@db/shop`;
      const { out, err, reporter, tell } = await reporterOn({
        isJson: kind === 'json',
        settings: settings(url),
      });
      tell({ kind: 'note', message: `connecting to ${url}` }, { kind: 'note', message: 'with p@ss"w0rd' });
      reporter.failure(new Error(`cannot reach ${url} with p@ss"w0rd`), 1);

      expect(out.text + err.text).toContain('***');
      expect(out.text + err.text).not.toMatch(/w0rd/);
    },
  );

  test('control characters of a name', async () => {
    const { out, tell } = await reporterOn();
    tell({ ...applied, script: `V1__${ESCAPE}[2Jx.sql` });

    expect(out.text).not.toContain(ESCAPE);
  });
});

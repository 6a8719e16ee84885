import { functionSink, type Alert } from '../../../src/pool-monitor/alerts/index.js';
import { OTHER_SITE, recordLog, refuseToLog, Service, SITE, turn } from './service.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let log: string[];
beforeEach(() => {
  log = recordLog();
});
afterEach(() => refuseToLog(log, /./));

describe('a problem is told once', () => {
  test('ten seconds after its first sign, with the numbers of then', async () => {
    const service = new Service();
    await service.leak();
    await service.pass(9_999);
    expect(service.alerts).toEqual([]);

    await service.leak();
    await service.leak();
    await service.pass(1);

    expect(service.alerts).toMatchObject([
      {
        key: `leak|orders-api|production|orders|${SITE}`,
        status: 'firing',
        repeat: 0,
        title: `3 connections leaked by ${SITE}`,
        counts: { leaked: 3 },
      },
    ]);
  });

  test('however often it is found, for four hours', async () => {
    const service = new Service();
    await service.leak();
    await service.pass(10_000);
    for (let i = 0; i < 100; i++) {
      await service.find('leak', { count: i });
      await service.pass(2 * MINUTE);
    }
    expect(service.told).toEqual(['firing leak']);

    await service.pass(40 * MINUTE);
    expect(service.told).toEqual(['firing leak', 'firing leak']);
    expect(service.alerts[1]).toMatchObject({ repeat: 1, key: service.alerts[0]!.key });

    await service.pass(4 * HOUR);
    expect(service.alerts[2]).toMatchObject({ repeat: 2 });
  });

  test('the call sites that come within ten seconds are one message, those that come later are not', async () => {
    const service = new Service();
    await service.leak({ site: OTHER_SITE });
    await service.leak();
    await service.leak();
    await service.pass(10_000);
    expect(service.told).toEqual(['firing leak']);
    expect(service.alerts[0]).toMatchObject({ site: SITE, title: `2 connections leaked by ${SITE}` });
    expect(service.alerts[0]!.facts).toContainEqual({ label: 'Also', value: `${OTHER_SITE} (1)` });

    await service.leak({ site: 'Third.one (src/third.ts:3)' });
    await service.pass(10_000);
    expect(service.told).toEqual(['firing leak', 'firing leak']);
    expect(service.alerts[1]!.site).toBe('Third.one (src/third.ts:3)');
  });

  test('at once where it becomes worse', async () => {
    const service = new Service();
    await service.leak();
    await service.pass(10_000);
    await service.find('leak', { severity: 'critical' });
    expect(service.alerts).toMatchObject([
      { severity: 'warning', repeat: 0 },
      { severity: 'critical', repeat: 1 },
    ]);

    await service.find('leak', { severity: 'warning' });
    await service.pass(MINUTE);
    expect(service.alerts).toHaveLength(2);
  });
});

describe('the end of a problem', () => {
  test('is told a minute later, with how it ended', async () => {
    const service = new Service();
    await service.leak();
    await service.pass(10_000);
    await service.end('leak', 'All 1 came back after 3 min.');
    await service.pass(59_999);
    expect(service.told).toEqual(['firing leak']);

    await service.pass(1);
    expect(service.alerts[1]).toMatchObject({
      status: 'resolved',
      title: `1 connection leaked by ${SITE}`,
      summary: 'All 1 came back after 3 min. It lasted 1 min 10 s.',
    });
    await service.pass(24 * HOUR);
    expect(service.alerts).toHaveLength(2);
  });

  test('is not told where the problem comes back within the minute', async () => {
    const service = new Service();
    await service.find('exhausted');
    await service.pass(10_000);
    for (let i = 0; i < 20; i++) {
      await service.end('exhausted');
      await service.pass(50_000);
      await service.find('exhausted');
      await service.pass(5_000);
    }
    expect(service.told).toEqual(['firing exhausted']);

    await service.end('exhausted');
    await service.pass(MINUTE);
    expect(service.told).toEqual(['firing exhausted', 'resolved exhausted']);
  });

  test('of one call site does not end the message about two', async () => {
    const service = new Service();
    await service.leak();
    await service.leak({ site: OTHER_SITE });
    await service.pass(10_000);
    await service.end('leak', 'Came back.', SITE);
    await service.pass(10 * MINUTE);
    expect(service.told).toEqual(['firing leak']);

    await service.end('leak', 'Was reclaimed.', OTHER_SITE);
    await service.pass(MINUTE);
    expect(service.told).toEqual(['firing leak', 'resolved leak']);
    expect(service.alerts[1]!.summary).toContain('Came back. Was reclaimed.');
    expect(service.alerts[1]!.key).toBe(service.alerts[0]!.key);
  });

  test('within the first ten seconds means that nothing is told', async () => {
    const service = new Service();
    await service.find('pressure');
    await service.pass(5_000);
    await service.end('pressure');
    await service.pass(HOUR);
    expect(service.told).toEqual([]);
  });

  test.each([
    ['a critical one', 'exhausted', {}],
    ['a certain one', 'leak', { certainty: 'certain' }],
    ['one that happens and is over', 'dirty-release', {}],
  ] as const)('within the first ten seconds hides not %s', async (_, kind, finding) => {
    const service = new Service();
    await service.find(kind, finding);
    await service.end(kind);
    await service.pass(10_000);
    await service.pass(MINUTE);
    expect(service.told).toEqual([`firing ${kind}`, `resolved ${kind}`]);
  });
});

describe('what says less is not told', () => {
  test.each([
    ['exhausted', 'pressure'],
    ['self-deadlock', 'exhausted'],
    ['self-deadlock', 'pressure'],
    ['self-deadlock', 'suspect'],
    ['leak', 'suspect'],
    ['leak', 'long-transaction'],
  ] as const)('while there is %s: %s', async (greater, lesser) => {
    const service = new Service();
    await service.find(lesser);
    await service.pass(9_000);
    await service.find(greater);
    await service.pass(HOUR);
    expect(service.told).toEqual([`firing ${greater}`]);

    await service.end(greater);
    await service.pass(MINUTE);
    expect(service.told).toEqual([`firing ${greater}`, `firing ${lesser}`, `resolved ${greater}`]);
  });

  test.each([
    ['leak', 'exhausted'],
    ['pressure', 'leak'],
  ] as const)('but %s hides no %s', async (one, other) => {
    const service = new Service();
    await service.find(one);
    await service.find(other);
    await service.pass(10_000);
    expect(service.told.sort()).toEqual([`firing ${one}`, `firing ${other}`].sort());
  });

  test('a leak hides no suspect of another call site', async () => {
    const service = new Service();
    await service.leak();
    await service.find('suspect', { site: OTHER_SITE });
    await service.pass(10_000);
    expect(service.told).toEqual(['firing leak', 'firing suspect']);
  });

  test('a suspect that has become a leak is not called resolved', async () => {
    const service = new Service();
    await service.find('suspect');
    await service.pass(10_000);
    await service.leak();
    await service.end('suspect', 'It is a leak now.');
    await service.leak();
    await service.pass(HOUR);
    expect(service.told).toEqual(['firing suspect', 'firing leak']);
  });
});

test('each sink gets what is severe enough for it', async () => {
  const got: Record<string, string[]> = { info: [], warning: [], critical: [], default: [] };
  const sink = (name: string, minSeverity?: 'info' | 'warning' | 'critical') =>
    functionSink(({ kind }: Alert) => void got[name]!.push(kind), {
      name,
      ...(minSeverity && { minSeverity }),
    });
  const service = new Service({
    alerts: {
      sinks: [
        sink('info', 'info'),
        sink('warning', 'warning'),
        sink('critical', 'critical'),
        sink('default'),
      ],
    },
  });
  await service.find('late-return');
  await service.leak();
  await service.find('exhausted');
  await service.pass(10_000);

  expect(got).toEqual({
    info: ['late-return', 'leak', 'exhausted'],
    warning: ['leak', 'exhausted'],
    critical: ['exhausted'],
    default: ['leak', 'exhausted'],
  });
});

describe('a process that stops', () => {
  test('tells what has not been told, and that it ends with it', async () => {
    const service = new Service();
    await service.leak();
    await service.pass(10_000);
    await service.find('exhausted');
    await service.centre.close();

    expect(service.alerts.map(({ status, kind, summary }) => [status, kind, summary])).toEqual([
      ['firing', 'leak', 'Evidence of leak.'],
      ['resolved', 'leak', 'The process has stopped. It lasted 10 s.'],
      // Both messages of an exhausted pool that was not told yet are one.
      ['resolved', 'exhausted', 'The process has stopped. It lasted 0 ms.'],
    ]);
  });

  test('says nothing afterwards', async () => {
    const service = new Service();
    await service.centre.close();
    await service.leak();
    await service.pass(HOUR);
    expect(service.told).toEqual([]);
  });
});

test('the latest hundred alerts can be seen, with what became of them', async () => {
  const service = new Service({ alerts: { stormCap: { max: 1000 } } });
  for (let i = 0; i < 80; i++) await service.leak({ site: `Leak.number (src/leak.ts:${i})` });
  await service.pass(10_000);
  for (let i = 0; i < 120; i++) {
    await service.find('dirty-release', { site: `Site.number (src/site.ts:${i})` });
    await service.pass(10_000);
  }
  const sent = service.centre.sent();
  expect(sent).toHaveLength(100);
  expect(sent[0]).toEqual({
    at: service.now(),
    key: 'dirty-release|orders-api|production|orders|Site.number (src/site.ts:119)',
    status: 'firing',
    title: 'Site.number (src/site.ts:119) gave a connection back inside a transaction',
    severity: 'warning',
    outcomes: [{ sink: 'calls', outcome: 'sent' }],
  });

  // More than 200 at once are not followed; that is said once.
  await service.leak({ site: 'One.more (src/more.ts:1)' });
  await service.leak({ site: 'Another.one (src/more.ts:2)' });
  expect(log.splice(0)).toEqual([expect.stringContaining('More than 200 problems at once')]);
});

test('a monitor that cannot report disturbs nobody', async () => {
  const service = new Service();
  service.report = () => {
    throw new Error('no report');
  };
  await service.leak();
  await service.leak();
  await service.pass(10_000);
  await turn();
  expect(service.told).toEqual([]);
  expect(log.splice(0)).toEqual([expect.stringMatching(/An alert could not be made.*no report/)]);
});

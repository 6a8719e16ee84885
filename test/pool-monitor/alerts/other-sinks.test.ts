import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import {
  type AlertSink,
  functionSink,
  pinoSink,
  readAlertOptions,
  SinkError,
  webhook,
} from '../../../src/pool-monitor/alerts/index.js';
import { recordLog, refuseToLog, Service, SITE, turn, until } from './service.js';

let log: string[];
beforeEach(() => {
  log = recordLog();
});

const outcome = (service: Service, sink: string): string =>
  service.centre.sent()[0]?.outcomes.find((entry) => entry.sink === sink)?.outcome ?? '';

async function tellOf(sinks: readonly AlertSink[]): Promise<Service> {
  const service = new Service({ alerts: { sinks } });
  await service.leak();
  await service.pass(10_000);
  return service;
}

describe('a webhook', () => {
  let server: Server;
  let url: string;
  let answers: { status: number; headers?: Record<string, string> }[];
  const got: { body: Record<string, unknown>; headers: IncomingHttpHeaders; path: string }[] = [];

  beforeEach(async () => {
    got.length = 0;
    answers = [];
    server = createServer((request, response) => {
      void (async () => {
        let body = '';
        for await (const chunk of request.setEncoding('utf8')) body += chunk as string;
        got.push({
          body: JSON.parse(body) as Record<string, unknown>,
          headers: request.headers,
          path: request.url!,
        });
        const { status, headers } = answers.shift() ?? { status: 204 };
        response.writeHead(status, headers).end();
      })();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/SECRET`;
  });
  afterEach(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    refuseToLog(log, /SECRET/);
  });

  test('gets the alert as JSON, with the headers that were given', async () => {
    const service = await tellOf([webhook({ url, headers: { authorization: 'Bearer SECRET' } })]);
    await until(() => outcome(service, 'webhook') === 'sent');
    expect(got).toMatchObject([
      {
        path: '/SECRET',
        headers: { authorization: 'Bearer SECRET', 'content-type': 'application/json; charset=utf-8' },
        body: {
          format: 1,
          key: `leak|orders-api|production|orders|${SITE}`,
          status: 'firing',
          kind: 'leak',
          severity: 'warning',
          site: SITE,
          counts: { leaked: 1, suspected: 0, inUse: 4, max: 10, waiting: 0, oldestWaitMs: 0 },
          instances: ['api-1'],
        },
      },
    ]);
  });

  test('that redirects is not followed', async () => {
    answers.push({ status: 307, headers: { location: '/elsewhere' } });
    const service = await tellOf([webhook({ url })]);
    await until(() => outcome(service, 'webhook').startsWith('failed'));
    expect(outcome(service, 'webhook')).toBe('failed: the webhook webhook answered 307');
    expect(got.map(({ path }) => path)).toEqual(['/SECRET']);
  });

  test('that is not there yet is tried again', async () => {
    answers.push({ status: 503, headers: { 'retry-after': '7' } });
    const service = await tellOf([webhook({ url, name: 'pager' })]);
    await until(() => outcome(service, 'pager').startsWith('waits for try 2'));
    await service.pass(6_999);
    expect(got).toHaveLength(1);
    await service.pass(1);
    await until(() => outcome(service, 'pager') === 'sent');
  });

  test.each([
    [{ url: 'ftp://SECRET' }, 'webhook.url must be a full http or https address, but begins with ftp:'],
    [{ url: 'http://x', headers: { 'bad name': 'SECRET' } }, 'but "bad?name" does not'],
    [{ url: 'http://x', headers: { 'x-key': 'SEC\nRET' } }, 'but "x-key" does not'],
    [{ url: 'http://x', headers: { 'x-key': 17 } }, 'but "x-key" does not'],
    [{ url: 'http://x', header: {} }, 'did you mean "headers"?'],
  ])('%j is refused', (options, message) => {
    expect(() => webhook(options as never)).toThrow(message);
    expect(() => webhook(options as never)).not.toThrow(/SECRET/);
  });
});

test('pino gets fields and a sentence, by severity', async () => {
  const lines: { level: number; msg: string; alert: { key: string } }[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as never) });
  const service = await tellOf([pinoSink(logger)]);
  await service.find('exhausted');
  await service.find('late-return');
  await service.pass(10_000);
  await service.end('leak', 'It came back.');
  await service.pass(60_000);

  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [40, `1 connection leaked by ${SITE}. Evidence of leak.`],
    [50, 'Pool orders is exhausted. Evidence of exhausted.'],
    [30, `${SITE} gave a connection back late: slow, not leaked. Evidence of late-return.`],
    [30, `Resolved: 1 connection leaked by ${SITE}. It came back. It lasted 1 min 20 s.`],
  ]);
  expect(lines[0]!.alert.key).toBe(`leak|orders-api|production|orders|${SITE}`);
});

test('without a sink alerts go to the log', async () => {
  const { sinks } = readAlertOptions(undefined);
  await tellOf(sinks);
  expect(log).toEqual([expect.stringContaining(`warn 1 connection leaked by ${SITE}`)]);
});

describe('a function', () => {
  test('that fails is tried again, and its error is logged once', async () => {
    let calls = 0;
    const service = await tellOf([
      functionSink(() => {
        calls += 1;
        if (calls < 3) throw new Error('the pager is out');
      }),
    ]);
    await service.pass(500);
    await service.pass(1000);
    expect([calls, outcome(service, 'function')]).toEqual([3, 'sent']);
    expect(log).toEqual([
      expect.stringMatching(/warn Alerts do not reach function: it threw an error.*the pager is out/),
      expect.stringContaining('info Alerts reach function again.'),
    ]);
  });

  test('that says that another try makes no sense is not tried again', async () => {
    let calls = 0;
    const service = await tellOf([
      functionSink(() => {
        calls += 1;
        throw new SinkError('the pager is not known');
      }),
    ]);
    await service.pass(3_600_000);
    expect([calls, outcome(service, 'function')]).toEqual([1, 'failed: the pager is not known']);
  });

  test('that never ends keeps nobody waiting, and is told that its time is up', async () => {
    const signals: AbortSignal[] = [];
    const service = await tellOf([
      functionSink((_, signal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      }),
    ]);
    await service.pass(5000);
    expect(outcome(service, 'function')).toBe('waits for try 2: it did not answer within 5000 ms');
    expect(signals[0]!.aborted).toBe(true);
    const closed = service.centre.close();
    await turn();
    service.clock.advance(2000);
    await closed;
  });
});

describe('the options of alerts', () => {
  test('are these by default', () => {
    expect(readAlertOptions({})).toMatchObject({
      sinks: [{ name: 'log' }],
      groupMs: 10_000,
      repeatMs: 14_400_000,
      resolveMs: 60_000,
      updateMs: 30_000,
      stormCap: { max: 10, perMs: 600_000 },
      quietHours: undefined,
      delivery: { queue: 100, tries: 5, timeoutMs: 5000, flushMs: 2000 },
    });
  });

  test.each([
    [{ sinks: [{}] }, 'alerts.sinks[0] must be a sink'],
    [{ sinks: [{ name: 'x', send() {}, minSeverity: 'bad' }] }, 'alerts.sinks[0].minSeverity must be one of'],
    [{ sinks: [pinoSink(), pinoSink()] }, 'two are called "log"'],
    [{ sinks: 'slack' }, 'alerts.sinks must be an array of sinks'],
    [{ repeatHours: 4 }, 'alerts has no option "repeatHours"'],
    [{ groupMs: 0 }, 'alerts.groupMs must be a number of milliseconds above 0'],
    [{ stormCap: { max: 0 } }, 'alerts.stormCap.max must be a whole number'],
    [{ delivery: { tries: 0 } }, 'alerts.delivery.tries must be a whole number'],
    [{ quietHours: { from: '22:00', to: '07:00' } }, 'alerts.quietHours.timeZone must be a non-empty string'],
    [
      { quietHours: { from: '22', to: '07:00', timeZone: 'UTC' } },
      'alerts.quietHours.from must be a time of day',
    ],
    [
      { quietHours: { from: '22:00', to: '07:00', timeZone: 'Moon/Base' } },
      'must be the IANA name of a time zone',
    ],
    [
      { quietHours: { from: '22:00', to: '22:00', timeZone: 'UTC' } },
      'another time than alerts.quietHours.from',
    ],
  ])('%j is refused', (options, message) => {
    expect(() => readAlertOptions(options)).toThrow(message);
  });
});

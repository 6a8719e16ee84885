import { slackWebhook } from '../../../src/pool-monitor/alerts/index.js';
import { controlSequences, textsOf } from '../../harness/slack/block-rules.js';
import {
  type SlackFault,
  type SlackServer,
  startSlack,
  tooMany,
  webhookAnswers,
} from '../../harness/slack/slack-server.js';
import { leaseOf, OTHER_SITE, recordLog, refuseToLog, Service, SITE, turn, until } from './service.js';

let slack: SlackServer;
let log: string[];
beforeEach(async () => {
  slack = await startSlack();
  log = recordLog();
});
afterEach(async () => {
  await slack.close();
  // Whatever was logged: never where to, which is the secret.
  refuseToLog(log, /services|XXXX|127\.0\.0\.1/);
});

function serviceOnSlack(alerts: ConstructorParameters<typeof Service>[0] = {}): Service {
  return new Service({
    ...alerts,
    alerts: { ...alerts.alerts, sinks: [slackWebhook({ url: slack.webhookUrl })] },
  });
}

/** What became of the latest alert at Slack. */
const outcome = (service: Service, index = 0): string | undefined =>
  service.centre.sent()[index]?.outcomes.find(({ sink }) => sink === 'slack')?.outcome;

const sent = (service: Service) => until(() => outcome(service) === 'sent');

test('a leak is one message with all that is known', async () => {
  const service = serviceOnSlack();
  service.counts = { max: 10, total: 10, inUse: 8, idle: 2, pending: 0 };
  service.waiting = { count: 7, oldestMs: 12_300, sites: [{ site: OTHER_SITE, count: 7, oldestMs: 12_300 }] };
  for (const ageMs of [430_000, 310_000, 190_000]) await service.leak({ ageMs });
  service.leases.push(leaseOf({ id: 9, ageMs: 70_000, verdict: 'suspect' }));
  const session = {
    application: 'orders-api',
    state: 'idle in transaction',
    stateMs: 140_000,
    transactionMs: 150_000,
    statement: 'UPDATE stock',
    leaseId: undefined,
    site: undefined,
  };
  service.server = {
    pool: 'orders',
    at: service.now(),
    product: 'PostgreSQL 18',
    connections: 37,
    maxConnections: 97,
    own: 10,
    idleInTransaction: [{ ...session, backendId: 4711 }],
    blocking: [
      {
        blocker: { ...session, backendId: 4711, site: SITE },
        blocked: { ...session, backendId: 4712 },
        waitMs: 12_000,
        lock: 'stock',
      },
    ],
    joinsLeases: true,
    notes: [],
  };
  await service.pass(10_000);
  await sent(service);

  expect(slack.problems).toEqual([]);
  expect(slack.posts).toHaveLength(1);
  expect(slack.posts[0]!.text).toBe(`[Warning] 3 connections leaked by ${SITE} (orders-api · production)`);
  expect(textsOf({ blocks: slack.posts[0]!.blocks })).toEqual([
    ':large_orange_circle: Warning · orders-api · production',
    `*3 connections leaked by ${SITE}*`,
    'Evidence of leak.',
    `*Where*\n\`${SITE}\``,
    '*Pool*\n`orders`',
    '*Leaked*\n3; 1 more suspected',
    '*In use*\n8 of 10',
    '*Waiting*\n7, the oldest for 12 s',
    '*Forecast*\nfull in 3 to 11 min at the rate seen',
    '*Server*\n37 of 97 connections (38 %), 1 idle in transaction',
    `*Blocking*\npid 4711 (${SITE}) blocks pid 4712 (orders-api) for 12 s: stock`,
    '*Instances*\napi-1',
    '*Version*\n`4.2.0`',
    '*Since*\n2026-11-02 10:00:00 UTC',
    '*Last SQL*\n```SELECT * FROM stock WHERE item = ?```',
    '*Likely fix*\nAdvice for leak.',
    `Key \`leak|orders-api|production|orders|${SITE}\``,
  ]);
});

test('the end is a message of its own', async () => {
  const service = serviceOnSlack();
  await service.leak();
  await service.pass(10_000);
  await sent(service);
  await service.end('leak', 'It came back after 3 min.');
  await service.pass(60_000);
  await slack.sawMessages(2);

  expect(slack.posts[1]!.text).toBe(`[Resolved] 1 connection leaked by ${SITE} (orders-api · production)`);
  expect(textsOf({ blocks: slack.posts[1]!.blocks })).toContain(
    'It came back after 3 min. It lasted 1 min 10 s.',
  );
});

describe('what the application and its data are called', () => {
  const evil = '<!channel> <@U123> <https://evil.example|click> &amp; *bold* `tick` ```fence``` \u202egnp';

  test('mentions nobody and links nowhere', async () => {
    const service = serviceOnSlack({ service: evil, instance: evil });
    await service.leak({ site: evil, statement: evil, request: evil });
    await service.find('leak', { site: evil, evidence: evil, advice: evil });
    await service.pass(10_000);
    await sent(service);

    const texts = textsOf(slack.posts[0]!);
    expect(controlSequences(texts)).toEqual([]);
    expect(texts.join('')).toContain('&lt;!channel&gt;');
    // Two fences for the one block of code: what is inside it does not end it.
    expect(texts.join('').match(/```/g)).toHaveLength(2);
    expect(texts.join('')).not.toContain('\u202e');
  });

  test.each([
    ['long', 'x'.repeat(50_000)],
    ['long, of what grows when it is escaped', '<&>'.repeat(20_000)],
    ['of surrogate pairs', '😀'.repeat(20_000)],
    ['of many lines', 'line\n'.repeat(10_000)],
    ['of backticks', '`'.repeat(9_000)],
  ])('fits when it is %s', async (_, text) => {
    const service = serviceOnSlack({ service: text, instance: text });
    service.waiting = {
      count: 1,
      oldestMs: 1,
      sites: Array.from({ length: 500 }, () => ({ site: text, count: 1, oldestMs: 1 })),
    };
    for (let i = 0; i < 100; i++) await service.leak({ site: `${text}${i}`, statement: text, request: text });
    await service.find('leak', { site: `${text}0`, evidence: text, advice: text });
    await service.pass(10_000);
    await sent(service);

    expect(slack.problems).toEqual([]);
    expect(slack.posts).toHaveLength(1);
    expect(JSON.stringify(slack.posts)).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
  });

  test('shows no password of an address', async () => {
    const service = serviceOnSlack();
    await service.find('leak', { evidence: 'cannot reach postgres://app:hunter2@db.example/orders' });
    await service.pass(10_000);
    await sent(service);
    expect(JSON.stringify(slack.posts)).not.toContain('hunter2');
    expect(JSON.stringify(slack.posts)).toContain('postgres://…@db.example/orders');
  });
});

describe('an answer that no other try changes', () => {
  test.each(Object.entries(webhookAnswers).filter(([, { status }]) => status < 500))(
    '%s: is tried once and logged once, with what to do',
    async (_, answer) => {
      slack.always(answer);
      const service = serviceOnSlack();
      await service.leak();
      await service.pass(10_000);
      await until(() => outcome(service)?.startsWith('failed') === true);
      await service.find('exhausted');
      await service.pass(10_000);
      await until(() => outcome(service)?.startsWith('failed') === true);
      await service.pass(3_600_000);

      expect(slack.requests).toHaveLength(2);
      expect(log).toEqual([
        expect.stringContaining(
          `warn Alerts do not reach slack: the Slack webhook answered ${answer.status} ${answer.body}`,
        ),
      ]);
    },
  );

  test('a channel that is archived and a webhook that is gone say so', async () => {
    slack.channelState = 'archived';
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    await until(() => outcome(service)?.startsWith('failed') === true);
    expect(log[0]).toContain('410 channel_is_archived: the channel is archived; choose another one.');
  });
});

describe('an answer that may be another one next time', () => {
  test.each<[string, SlackFault]>([
    ['500', webhookAnswers.rollupError],
    ['503 of a proxy', { status: 503, body: '<html>' }],
    ['a reset connection', 'reset'],
  ])('%s: is tried again, later each time', async (_, fault) => {
    slack.next(fault, fault, fault);
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    for (const [index, waitMs] of [500, 1000, 2000].entries()) {
      await until(() => outcome(service)!.startsWith(`waits for try ${index + 2}`));
      await service.pass(waitMs - 1);
      expect(slack.requests).toHaveLength(index + 1);
      await service.pass(1);
      await slack.sawRequests(index + 2);
    }
    await sent(service);

    expect(slack.posts).toHaveLength(1);
    expect(log).toHaveLength(2);
    expect(log[0]).toMatch(/^warn Alerts do not reach slack/);
    expect(log[1]).toMatch(/^info Alerts reach slack again/);
  });

  test('no answer: the try ends after five seconds', async () => {
    slack.next('hang');
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    await slack.sawRequests(1);
    await service.pass(4_999);
    expect(outcome(service)).toBe('waits');
    await service.pass(1);
    await until(() => outcome(service) !== 'waits');
    expect(outcome(service)).toBe('waits for try 2: it did not answer within 5000 ms');
    await service.pass(1000);
    await sent(service);
    expect(slack.posts).toHaveLength(1);
  });

  test('five times is enough', async () => {
    slack.always(webhookAnswers.rollupError);
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    for (let tries = 1; tries <= 5; tries++) {
      await slack.sawRequests(tries);
      await until(() => outcome(service)!.startsWith(tries < 5 ? `waits for try ${tries + 1}` : 'failed 5'));
      await service.pass(60_000);
    }
    expect(slack.requests).toHaveLength(5);
    expect(outcome(service)).toBe('failed 5 times: the Slack webhook answered 500 rollup_error');
  });

  test.each([
    ['seconds', () => '30'],
    ['an HTTP date', () => new Date(Math.ceil(Date.now() / 1000) * 1000 + 30_000).toUTCString()],
  ])('429: is left alone for as long as it asks for, in %s', async (_, retryAfter) => {
    slack.next(tooMany(retryAfter()));
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    await until(() => outcome(service)?.startsWith('waits for try 2') === true);
    await service.find('exhausted');
    await service.pass(25_000);
    await turn();
    expect(slack.requests).toHaveLength(1);

    await service.pass(6_000);
    await until(() => outcome(service, 1) === 'sent');
  });
});

test('a second lies between two messages', async () => {
  const service = serviceOnSlack();
  await service.leak();
  await service.find('exhausted');
  await service.pass(10_000);
  await until(() => outcome(service, 1) === 'sent');
  await service.pass(999);
  expect(slack.requests).toHaveLength(1);
  await service.pass(1);
  await slack.sawMessages(2);
});

describe('while Slack is down', () => {
  /** Twenty problems while Slack is down: then it is up again, for as long as it takes. */
  async function outage(end: (service: Service) => Promise<void>): Promise<Service> {
    slack.always('reset');
    // The clock runs while a message is on its way: no time is up.
    const delivery = { queue: 5, tries: 100, timeoutMs: 1e9 };
    const service = serviceOnSlack({
      alerts: { stormCap: { max: 1000 }, delivery },
    });
    for (let i = 0; i < 20; i++) {
      await service.find('leak', { site: `Leak.number (src/leak.ts:${i})` });
      await service.pass(10_000);
    }
    await end(service);
    slack.always(undefined);
    const waits = (_: unknown, index: number): boolean =>
      outcome(service, index)?.startsWith('waits') === true;
    const deadline = performance.now() + 20_000;
    while (service.centre.sent().some(waits) && performance.now() < deadline) await service.pass(1000);
    return service;
  }

  test('no more messages wait than the queue holds: the latest', async () => {
    await outage(() => Promise.resolve());

    // The one in flight does not count.
    expect([5, 6]).toContain(slack.posts.length);
    for (let i = 15; i < 20; i++)
      expect(slack.posts.map(({ text }) => text).join()).toContain(`(src/leak.ts:${i})`);
    // Down, too many, up again: each once, though there were many tries.
    const aboutSlack = log.filter((line) => line.includes('"slack"'));
    expect(aboutSlack).toEqual([...new Set(aboutSlack)]);
    expect(aboutSlack.join()).toContain('Alerts to slack are dropped: too many wait.');
    expect(aboutSlack.at(-1)).toContain('info Alerts reach slack again.');
  });

  test('what began and ended is one message', async () => {
    await outage(async (service) => {
      for (let i = 0; i < 20; i++) await service.end('leak', 'Over.', `Leak.number (src/leak.ts:${i})`);
      await service.pass(60_000);
    });

    const texts = slack.posts.map(({ text }) => text);
    expect(texts.filter((text) => text.startsWith('[Resolved]'))).toHaveLength(texts.length);
    expect([5, 6]).toContain(texts.length);
  });

  test('a process stops within two seconds, and says what it could not tell', async () => {
    slack.always('hang');
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    await slack.sawRequests(1);
    await service.find('exhausted');
    const closed = service.centre.close();
    await service.pass(1_999);
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    await turn();
    expect(isClosed).toBe(false);
    await service.pass(1);
    await closed;
    expect(log).toEqual([
      expect.stringContaining('it did not answer before the process shut down'),
      expect.stringContaining('Alerts to slack are dropped: the process shut down'),
    ]);
  });

  test('a process that stops does not wait for a pause of its own', async () => {
    slack.next(webhookAnswers.rollupError);
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    await until(() => outcome(service)?.startsWith('waits for try 2') === true);
    await service.centre.close();
    expect(slack.posts).toHaveLength(1);
  });
});

test.each([
  ['nothing', undefined, 'slackWebhook.url must be the address to send to'],
  ['no address', 'SECRET hooks', 'slackWebhook.url must be a full https address, but is none'],
  ['http', 'http://hooks.example.com/services/SECRET', 'is http'],
  ['a file', 'file:///SECRET', 'begins with file:'],
  ['a password', 'https://me:SECRET@hooks.slack.com/services/1', 'has a user name or a password'],
])('an address that is %s is refused without being shown', (_, url, message) => {
  expect(() => slackWebhook({ url: url as string })).toThrow(message);
  expect(() => slackWebhook({ url: url as string })).not.toThrow('SECRET');
});

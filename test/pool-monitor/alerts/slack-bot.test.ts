import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { slackBot, type SlackBotOptions } from '../../../src/pool-monitor/alerts/index.js';
import { textsOf } from '../../harness/slack/block-rules.js';
import { type SlackServer, startSlack, tooMany } from '../../harness/slack/slack-server.js';
import { recordLog, refuseToLog, Service, SITE, until } from './service.js';

let slack: SlackServer;
let log: string[];
beforeEach(async () => {
  slack = await startSlack();
  log = recordLog();
});
afterEach(async () => {
  await slack.close();
  refuseToLog(log, /xoxb|127\.0\.0\.1/);
});

function serviceOnSlack(options: Partial<SlackBotOptions> = {}): Service {
  const { token, channel, apiUrl } = slack;
  return new Service({ alerts: { sinks: [slackBot({ token, channel, apiUrl, ...options })] } });
}

const outcome = (service: Service, index = 0): string =>
  service.centre.sent()[index]?.outcomes.find(({ sink }) => sink === 'slack')?.outcome ?? '';

const sent = (service: Service) => until(() => outcome(service) === 'sent');

async function leaked(service: Service): Promise<void> {
  await service.leak({ id: 12, statement: 'SELECT * FROM stock WHERE item = ?' });
  await service.pass(10_000);
  await sent(service);
}

test('a leak is one message, with its details in the thread', async () => {
  await leaked(serviceOnSlack());

  expect(slack.problems).toEqual([]);
  expect(slack.posts).toHaveLength(1);
  expect(slack.posts[0]!.text).toBe(`[Warning] 1 connection leaked by ${SITE} (orders-api · production)`);
  const [details, ...more] = slack.threadOf(slack.posts[0]!);
  expect(more).toEqual([]);
  expect(textsOf(details!).join('\n')).toContain(
    `lease 12, pid 4711: ${SITE}, out for 2 min 30 s, leak, idle for 2 min 29 s, in a transaction, POST /orders`,
  );
});

test('the channel can be given by its name', async () => {
  const service = serviceOnSlack({ channel: '#alerts' });
  await leaked(service);
  await service.leak();
  await service.pass(30_000);
  await until(() => slack.posts[0]!.edits === 1);
  expect(textsOf(slack.posts[0]!).join()).toContain('2 connections leaked');
});

test('new numbers change the message at most every half minute, and disturb nobody', async () => {
  const service = serviceOnSlack();
  await leaked(service);
  const requests = slack.requests.length;
  for (let i = 0; i < 6; i++) {
    await service.leak();
    await service.pass(5_000);
  }
  await until(() => slack.posts[0]!.edits === 1);

  expect(slack.requests).toHaveLength(requests + 1);
  expect(slack.messages).toHaveLength(2);
  expect(slack.posts[0]!.text).toContain('7 connections leaked');
});

test('what is still there after four hours is said in the thread, for the channel to see', async () => {
  const service = serviceOnSlack();
  await leaked(service);
  await service.pass(4 * 3_600_000);
  await slack.sawMessages(3);
  await sent(service);

  expect(slack.posts).toHaveLength(1);
  expect(slack.posts[0]!.edits).toBe(1);
  expect(slack.messages[2]).toMatchObject({ threadTs: slack.posts[0]!.ts, isBroadcast: true });
  expect(slack.messages[2]!.text).toContain('[Warning, still there]');
});

test('the end is shown by the message itself, and in its thread', async () => {
  const service = serviceOnSlack();
  await leaked(service);
  await service.end('leak', 'It came back after 3 min.');
  await service.pass(60_000);
  await sent(service);

  expect(slack.posts).toHaveLength(1);
  expect(textsOf(slack.posts[0]!)).toEqual(
    expect.arrayContaining([
      ':large_green_circle: Resolved · orders-api · production',
      'It came back after 3 min. It lasted 1 min 10 s.',
    ]),
  );
  expect(slack.threadOf(slack.posts[0]!).map(({ text, isBroadcast }) => [text, isBroadcast])).toContainEqual([
    `[Resolved] 1 connection leaked by ${SITE} (orders-api · production)`,
    false,
  ]);
});

test('the next leak of the same place is a new message', async () => {
  const service = serviceOnSlack();
  await leaked(service);
  await service.end('leak');
  await service.pass(60_000);
  await sent(service);
  await service.pass(1000);
  await leaked(service);
  expect(slack.posts).toHaveLength(2);
});

test('a message that somebody deleted is written anew', async () => {
  const service = serviceOnSlack();
  await leaked(service);
  slack.messages.length = 0;
  await service.end('leak');
  await service.pass(60_000);
  await sent(service);
  expect(slack.posts.map(({ text }) => text)).toEqual([expect.stringContaining('[Resolved]')]);
});

test('a try that failed half way repeats nothing', async () => {
  const service = serviceOnSlack();
  await service.leak();
  // The message is taken, its details are not.
  slack.afterNext(1, { status: 500 });
  await service.pass(10_000);
  await until(() => outcome(service).startsWith('waits for try 2'));
  await service.pass(1000);
  await sent(service);
  expect(slack.posts).toHaveLength(1);
  expect(slack.threadOf(slack.posts[0]!)).toHaveLength(1);
});

test('429: is left alone for as long as it asks for', async () => {
  slack.next(tooMany(30));
  const service = serviceOnSlack();
  await service.leak();
  await service.pass(10_000);
  await until(() => outcome(service).startsWith('waits for try 2'));
  expect(outcome(service)).toBe("waits for try 2: Slack's chat.postMessage answered 429");
  await service.pass(29_999);
  expect(slack.requests).toHaveLength(1);
  await service.pass(1);
  await sent(service);
});

test.each([
  ['hang', 'it did not answer within 5000 ms'],
  ['reset', "Slack's chat.postMessage cannot be reached (ECONNRESET)"],
  [{ status: 500 }, "Slack's chat.postMessage answered 500"],
] as const)('%j is tried again', async (fault, reason) => {
  slack.next(fault);
  const service = serviceOnSlack();
  await service.leak();
  await service.pass(10_000);
  await slack.sawRequests(1);
  if (fault === 'hang') await service.pass(5000);
  await until(() => outcome(service).startsWith('waits for try 2'));
  expect(outcome(service)).toBe(`waits for try 2: ${reason}`);
  await service.pass(1000);
  await sent(service);
  expect(slack.posts).toHaveLength(1);
});

test.each<[string, Partial<SlackBotOptions>, SlackServer['channelState'], string]>([
  ['a token that is not valid', { token: 'xoxb-wrong' }, 'open', 'invalid_auth: the token is not valid'],
  ['a channel that is not there', { channel: 'C404' }, 'open', 'channel_not_found: the channel is gone'],
  ['a channel that is archived', {}, 'archived', 'is_archived: the channel is archived'],
])('%s is not tried again, and the log says what to do', async (_, options, state, message) => {
  slack.channelState = state;
  const service = serviceOnSlack(options);
  await service.leak();
  await service.pass(10_000);
  await until(() => outcome(service).startsWith('failed'));
  await service.pass(3_600_000);
  expect(slack.requests).toHaveLength(1);
  expect(log).toEqual([expect.stringContaining(message)]);
});

test('without its package the alert says what to install', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bot-'));
  const [cwd, program] = [process.cwd(), process.argv[1]!];
  try {
    process.chdir(folder);
    process.argv[1] = join(folder, 'main.js');
    const service = serviceOnSlack();
    await service.leak();
    await service.pass(10_000);
    await until(() => outcome(service).startsWith('failed'));
    expect(log).toEqual([expect.stringContaining('Install it (npm install @slack/web-api)')]);
  } finally {
    process.chdir(cwd);
    process.argv[1] = program;
    rmSync(folder, { recursive: true });
  }
});

test.each(['SECRET', 'xoxb SECRET', 17, undefined])(
  'a token that is %p is refused, and not shown',
  (token) => {
    const make = () => slackBot({ token: token as string, channel: 'C1' });
    expect(make).toThrow('slackBot.token must be a bot token of Slack');
    expect(make).not.toThrow('SECRET');
  },
);

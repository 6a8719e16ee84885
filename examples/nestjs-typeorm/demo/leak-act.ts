import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPoolMonitor, passwordGuard, slackWebhook, statusPage } from 'holdfast/pool-monitor';
import { watchDataSource } from 'holdfast/typeorm';
import { type SlackMessage, type SlackServer, startSlack } from '../../../test/harness/slack/slack-server';
import { BeforeModule } from '../before/before.module.js';
import type { Database } from './database.js';
import { paragraph, printHeading, say, style, wrap } from './print.js';
import { Service } from './service.js';

const POOL_SIZE = 4;
const ADA = 1;
const TEXT_WIDTH = 83;
const PASSWORD = 'demo-demo-demo-demo';
/** Against a machine that is very slow: then the act says what it missed. */
const PATIENCE_MS = 60_000;

/**
 * The origin of holdfast: the hand-written service loses a connection with every request that fails. A monitor beside it
 * names the line, once, in Slack (a stand-in that keeps Slack's contract), and takes the connections back. Answers whether
 * all of that came true.
 */
export async function playLeak(number: number, database: Database): Promise<boolean> {
  printHeading(number, 'The leak, and who is told');
  paragraph(
    '',
    'The service by hand once more, with a pool of 4 and a pool monitor beside it: no decorator, no other change. ' +
      'Three requests fail, each keeps its connection. The thresholds are seconds here, and minutes by default.',
  );
  const slack = await startSlack();
  const monitor = createPoolMonitor({
    service: 'questions',
    environment: 'demo',
    version: '1.4.2',
    sweepEveryMs: 200,
    // Of any share: on a slow machine the three are not due in the same sweep, and the last would be below one.
    reclaim: { mode: 'on', afterMs: 6000, aboveShare: 0 },
    server: { everyMs: 500 },
    alerts: {
      sinks: [slackWebhook({ url: slack.webhookUrl })],
      groupMs: 2000,
      resolveMs: 500,
    },
  }).start();
  const page = createServer(statusPage(monitor, { authorize: passwordGuard(PASSWORD), denied: 401 }));
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  try {
    await database.reset();
    const service = await Service.start(() => BeforeModule.on({ url: database.url, poolSize: POOL_SIZE }));
    watchDataSource(monitor, service.dataSource, { name: 'questions' });
    await Promise.all([1, 2, 3].map(() => service.ask({ authorId: ADA, title: 'Gone?', draftId: 99 })));
    const lost = service.connectionsOut;
    // Of all three at once, however far apart the machine let them be lost: within the time for which the monitor gathers.
    monitor.setThresholds({ suspectAfterMs: 800, leakAfterMs: 1500 });
    say();
    say(`   ${lost} of ${POOL_SIZE} connections lost. Slack gets:`);
    const firing = await messageNumber(1, slack);
    printMessage(firing);
    const { port } = page.address() as AddressInfo;
    say(`   status page: http://127.0.0.1:${port}/ (password "${PASSWORD}", while this act plays)`);
    say();
    const resolved = await messageNumber(2, slack);
    printMessage(resolved);
    const isWhole = service.connectionsOut === 0;
    const answer = await service.ask({ authorId: ADA, title: 'Still there?' });
    await service.close();
    return conclude([
      [lost === 3, '3 connections were lost'],
      [/HandWrittenQuestionService\.ask/.test(textOf(firing)), 'the message names the method'],
      [/hand-written-question\.service\.ts:\d+/.test(textOf(firing)), 'and the line'],
      [slack.posts.length === 2 && slack.problems.length === 0, 'two messages: the leak, and its end'],
      [isWhole, 'every connection is back'],
      [answer.startsWith('201 Created'), 'the service answers'],
    ]);
  } finally {
    await monitor.stop();
    page.closeAllConnections();
    page.close();
    await slack.close();
  }
}

async function messageNumber(number: number, slack: SlackServer): Promise<SlackMessage | undefined> {
  for (let waited = 0; slack.posts.length < number && waited < PATIENCE_MS; waited += 50) await sleep(50);
  return slack.posts[number - 1];
}

function printMessage(message: SlackMessage | undefined): void {
  say();
  for (const text of textOf(message).split('\n'))
    for (const line of wrap(text, TEXT_WIDTH)) say(`   ${style('dim', '│')} ${line}`);
  say();
}

/** What a reader of the channel sees of its blocks, without Slack's markup. */
function textOf(message: SlackMessage | undefined): string {
  if (!message) return 'nothing within a minute';
  const lines: string[] = [];
  JSON.stringify(message.blocks, (key, value: unknown) => {
    if (key === 'text' && typeof value === 'string') lines.push(value);
    return value;
  });
  return lines
    .join('\n')
    .replaceAll(/&lt;|&gt;|&amp;/g, (found) => ({ '&lt;': '<', '&gt;': '>', '&amp;': '&' })[found]!);
}

function conclude(promises: readonly (readonly [isKept: boolean, promise: string])[]): boolean {
  const broken = promises.filter(([isKept]) => !isKept).map(([, promise]) => promise);
  if (broken.length === 0)
    paragraph(
      ' ✓',
      'holdfast: One message with the line, the connections taken back, one message of the end.',
      'green',
    );
  else paragraph(' ✗', `BROKEN PROMISE. Not true: ${broken.join('; ')}.`, 'red');
  return broken.length === 0;
}

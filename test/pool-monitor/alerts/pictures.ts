import { slackBot } from '../../../src/pool-monitor/alerts/index.js';
import { slackPage } from '../../harness/slack/slack-page.js';
import { type SlackServer, startSlack } from '../../harness/slack/slack-server.js';
import { leaseOf, Service, SITE, until } from './service.js';

const FORGOTTEN =
  'Release the QueryRunner in a finally block, or let @Transactional() hold the connection for the method.';

/** The pages of the pictures in docs/images, by name: a leak in Slack, and its end. */
export async function slackPictures(): Promise<Record<string, string>> {
  const slack = await startSlack();
  try {
    const { token, channel, apiUrl } = slack;
    const service = new Service({
      instance: 'orders-7f9c-x2x5q',
      alerts: { sinks: [slackBot({ token, channel, apiUrl })] },
    });
    await leak(service);
    await sent(service);
    const firing = slackPage(slack.messages.slice(0, 2));
    await service.end(
      'leak',
      'All 3 were reclaimed: their connections were destroyed and the pool opened new ones.',
    );
    await service.pass(60_000);
    await sent(service);
    return { 'slack-leak': firing, 'slack-leak-resolved': slackPage(resolved(slack)) };
  } finally {
    await slack.close();
  }
}

async function leak(service: Service): Promise<void> {
  service.counts = { max: 10, total: 10, inUse: 7, idle: 3, pending: 0 };
  service.waiting = {
    count: 2,
    oldestMs: 4200,
    sites: [{ site: 'StockService.reserve (src/stock.service.ts:18)', count: 2, oldestMs: 4200 }],
  };
  const session = {
    application: 'orders-api',
    state: 'idle in transaction',
    stateMs: 371_000,
    transactionMs: 372_000,
    statement: 'SELECT * FROM stock WHERE item = $1 FOR UPDATE',
    leaseId: 412,
    site: SITE,
  };
  const blocked = {
    ...session,
    backendId: 20_471,
    state: 'active',
    leaseId: 433,
    site: 'StockService.reserve (src/stock.service.ts:18)',
  };
  service.server = {
    pool: 'orders',
    at: service.now(),
    product: 'PostgreSQL 18',
    connections: 61,
    maxConnections: 97,
    own: 10,
    idleInTransaction: [412, 419, 427].map((id) => ({ ...session, backendId: 20_000 + id, leaseId: id })),
    blocking: [{ blocker: { ...session, backendId: 20_412 }, blocked, waitMs: 12_400, lock: 'stock' }],
    joinsLeases: true,
    notes: [],
  };
  const statement = 'SELECT * FROM stock WHERE item = $1 FOR UPDATE';
  for (const [id, ageMs] of [
    [412, 372_000],
    [419, 251_000],
    [427, 133_000],
  ] as const)
    service.leases.push(leaseOf({ id, ageMs, idleMs: ageMs - 1000, backendId: 20_000 + id, statement }));
  service.leases.push(
    leaseOf({ id: 433, ageMs: 41_000, idleMs: 40_000, backendId: 20_433, verdict: 'suspect', statement }),
  );
  await service.find('leak', {
    certainty: 'certain',
    count: 3,
    evidence:
      'Their requests have ended and nothing holds them any more: the oldest has been out for 6 min and idle for 6 min, in an open transaction.',
    advice: FORGOTTEN,
    leases: service.leases.slice(0, 3),
  });
  await service.pass(10_000);
}

function sent(service: Service): Promise<void> {
  return until(
    () =>
      service.centre
        .sent()[0]
        ?.outcomes.some(({ sink, outcome }) => sink === 'slack' && outcome === 'sent') === true,
  );
}

/** The message and what was said in its thread at the end. */
function resolved(slack: SlackServer): SlackServer['messages'] {
  return [slack.messages[0]!, slack.messages.at(-1)!];
}

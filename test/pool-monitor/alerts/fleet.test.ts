import { ManualClock } from 'holdfast/testing';
import { type Fleet, type FleetShare, slackWebhook } from '../../../src/pool-monitor/alerts/index.js';
import { type SlackServer, startSlack } from '../../harness/slack/slack-server.js';
import { recordLog, Service, SITE, turn } from './service.js';

const HOUR = 3_600_000;

/** What processes share, in one process: the real one goes through the database. */
class Hub {
  sender: string | undefined;
  isReachable = true;
  readonly shares = new Map<string, FleetShare>();
  private readonly listeners = new Set<() => void>();

  fleetOf(instance: string): Fleet {
    return {
      role: () => ({
        sends: !this.isReachable || this.sender === instance,
        alone: this.isReachable ? undefined : 'the database cannot be reached',
      }),
      // As it would arrive: as data.
      share: (share) => void this.shares.set(instance, JSON.parse(JSON.stringify(share)) as FleetShare),
      others: () => new Map(this.isReachable ? [...this.shares].filter(([other]) => other !== instance) : []),
      onChange: (listener) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
    };
  }

  async change(): Promise<void> {
    for (const listener of this.listeners) listener();
    await turn();
  }
}

let slack: SlackServer;
let clock: ManualClock;
let hub: Hub;
let services: Service[];

beforeEach(async () => {
  recordLog();
  slack = await startSlack();
  clock = new ManualClock();
  hub = new Hub();
  hub.sender = 'api-1';
  services = ['api-1', 'api-2', 'api-3'].map(
    (instance) =>
      new Service({
        instance,
        clock,
        fleet: hub.fleetOf(instance),
        alerts: { sinks: [slackWebhook({ url: slack.webhookUrl })] },
      }),
  );
});
afterEach(() => slack.close());

/** Time goes by for all. */
async function pass(ms: number): Promise<void> {
  await hub.change();
  await services[0]!.pass(ms);
  await hub.change();
}

test('three processes with the same leak are one message, and their numbers are added', async () => {
  for (const [index, service] of services.entries()) for (let i = 0; i <= index; i++) await service.leak();
  await pass(10_000);
  await slack.sawMessages(1);

  expect(slack.posts.map(({ text }) => text)).toEqual([
    `[Warning] 6 connections leaked by ${SITE} (orders-api · production)`,
  ]);
  expect(services[0]!.alerts[0]).toMatchObject({
    counts: { leaked: 6, inUse: 12, max: 30 },
    instances: ['api-1', 'api-2', 'api-3'],
  });
  expect(services[0]!.alerts[0]!.facts).toContainEqual({
    label: 'Instances',
    value: '3: api-3 (3), api-2 (2), api-1 (1)',
  });
  expect(services.slice(1).flatMap(({ told }) => told)).toEqual([]);
});

test('the sender tells what another process has alone, and its end', async () => {
  await services[1]!.leak();
  await pass(10_000);
  expect(services[0]!.told).toEqual(['firing leak']);
  expect(services[0]!.alerts[0]!.instances).toEqual(['api-2']);

  await services[1]!.end('leak', 'It came back.');
  await pass(60_000);
  expect(services[0]!.told).toEqual(['firing leak', 'resolved leak']);
  expect(services[0]!.alerts[1]!.summary).toMatch(/^It came back\./);
});

test('a process that is gone has no problem any more', async () => {
  await services[1]!.leak();
  await pass(10_000);
  hub.shares.delete('api-2');
  await pass(0);
  await pass(60_000);
  expect(services[0]!.told).toEqual(['firing leak', 'resolved leak']);
  expect(services[0]!.alerts[1]!.summary).toMatch(/^api-2 does not report it any more\./);
});

test('the next sender repeats nothing, goes on counting, and tells the end', async () => {
  for (const service of services) await service.leak();
  await pass(10_000);
  hub.shares.delete('api-1');
  hub.sender = 'api-2';
  await pass(HOUR);
  expect(services[1]!.told).toEqual([]);

  await pass(3 * HOUR);
  expect(services[1]!.told).toEqual(['firing leak']);
  expect(services[1]!.alerts[0]).toMatchObject({ counts: { leaked: 2 }, repeat: 1 });

  await services[1]!.end('leak');
  await services[2]!.end('leak');
  await pass(60_000);
  expect(services[1]!.told).toEqual(['firing leak', 'resolved leak']);
  expect(services[2]!.told).toEqual([]);
});

test('the next sender tells the end of what the one before it told', async () => {
  for (const service of services) await service.leak();
  await pass(10_000);
  hub.shares.delete('api-1');
  hub.sender = 'api-2';
  await pass(60_000);
  for (const service of services.slice(1)) await service.end('leak', 'It came back.');
  await pass(60_000);
  expect(services[1]!.told).toEqual(['resolved leak']);
});

test('what nobody has told yet, the next sender tells', async () => {
  hub.sender = undefined;
  for (const service of services) await service.leak();
  await pass(HOUR);
  expect(services.flatMap(({ told }) => told)).toEqual([]);
  hub.sender = 'api-3';
  await pass(0);
  expect(services.map(({ told }) => told)).toEqual([[], [], ['firing leak']]);
});

test('without the database each speaks for itself, by its name', async () => {
  hub.isReachable = false;
  for (const service of services) await service.leak();
  await pass(10_000);

  expect(services.map(({ told }) => told)).toEqual([['firing leak'], ['firing leak'], ['firing leak']]);
  expect(services[1]!.alerts[0]!.facts).toContainEqual({
    label: 'Instances',
    value: 'api-2; speaks for itself alone: the database cannot be reached',
  });
});

test('what the sender told before the database was lost is not told by all', async () => {
  for (const service of services) await service.leak();
  await pass(10_000);
  hub.isReachable = false;
  await pass(HOUR);
  expect(services.map(({ told }) => told)).toEqual([['firing leak'], [], []]);
});

test('a sender that stops leaves the end to the next one', async () => {
  for (const service of services) await service.leak();
  await pass(10_000);
  await services[0]!.centre.close();
  expect(services[0]!.told).toEqual(['firing leak']);
  expect(hub.shares.get('api-1')).toEqual({ sightings: [], told: [] });
});

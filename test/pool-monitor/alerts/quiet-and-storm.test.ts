import {
  type Alert,
  type AlertOptionsInput,
  functionSink,
  pinoSink,
} from '../../../src/pool-monitor/alerts/index.js';
import { recordLog, Service } from './service.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

beforeEach(() => void recordLog());

/** A service with a sink that heeds everything, as Slack does. */
function serviceWith(alerts: AlertOptionsInput, startsAt: string): { service: Service; got: Alert[] } {
  const got: Alert[] = [];
  const sink = functionSink((alert) => void got.push(alert), { name: 'slack' });
  return { service: new Service({ startsAt, alerts: { ...alerts, sinks: [sink] } }), got };
}

const kinds = (got: readonly Alert[]): string[] => got.map(({ status, kind }) => `${status} ${kind}`);

describe('quiet hours', () => {
  const quietHours = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' };

  test('what fires in them is told when they end, with the numbers of then', async () => {
    // 23:30 in Berlin.
    const { service, got } = serviceWith({ quietHours }, '2026-11-02T22:30:00Z');
    await service.leak();
    await service.pass(10_000);
    await service.pass(HOUR);
    await service.leak();
    await service.pass(6.5 * HOUR - 10_001);
    expect(got).toEqual([]);
    expect(service.centre.sent()[0]!.outcomes).toContainEqual({
      sink: 'slack',
      outcome: 'held back: quiet hours',
    });

    await service.pass(1);
    expect(got).toMatchObject([{ status: 'firing', title: expect.stringContaining('2 connections') }]);
    expect(new Date(got[0]!.at).toISOString()).toBe('2026-11-03T06:00:00.000Z');
  });

  test('what has ended by then is not told at all', async () => {
    const { service, got } = serviceWith({ quietHours }, '2026-11-02T22:30:00Z');
    await service.leak();
    await service.pass(HOUR);
    await service.end('leak');
    await service.pass(24 * HOUR);
    expect(got).toEqual([]);
  });

  test('the end of what was told before waits for the morning', async () => {
    // 21:30 in Berlin.
    const { service, got } = serviceWith({ quietHours }, '2026-11-02T20:30:00Z');
    await service.leak();
    await service.pass(HOUR);
    await service.end('leak');
    await service.pass(8 * HOUR);
    expect(kinds(got)).toEqual(['firing leak']);
    await service.pass(HOUR);
    expect(kinds(got)).toEqual(['firing leak', 'resolved leak']);
  });

  test('critical ones pass, unless nothing may', async () => {
    const open = serviceWith({ quietHours }, '2026-11-02T22:30:00Z');
    const shut = serviceWith({ quietHours: { ...quietHours, pass: 'nothing' } }, '2026-11-02T22:30:00Z');
    for (const { service } of [open, shut]) {
      await service.find('exhausted');
      await service.pass(HOUR);
    }
    expect(kinds(open.got)).toEqual(['firing exhausted']);
    expect(kinds(shut.got)).toEqual([]);
  });

  test.each([
    // The clocks go back in the night to 2026-10-25, and forward in that to 2027-03-28.
    ['2026-10-24T23:00:00Z', '2026-10-25T06:00:00.000Z'],
    ['2027-03-27T23:00:00Z', '2027-03-28T05:00:00.000Z'],
  ])('end by the local clock when it is changed: %s', async (startsAt, end) => {
    const { service, got } = serviceWith({ quietHours }, startsAt);
    await service.leak();
    for (let hour = 0; hour < 10; hour++) await service.pass(HOUR);
    expect(new Date(got[0]!.at).toISOString()).toBe(end);
  });

  test.each([
    ['before', '2026-11-02T11:59:00Z', 1],
    ['in', '2026-11-02T12:00:00Z', 0],
    ['after', '2026-11-02T12:30:00Z', 1],
  ])('of half an hour of the day: %s', async (_, startsAt, told) => {
    const { service, got } = serviceWith(
      { quietHours: { from: '12:00', to: '12:30', timeZone: 'UTC' } },
      startsAt,
    );
    await service.leak();
    await service.pass(10_000);
    expect(got).toHaveLength(told);
  });

  test('are nothing to a log', async () => {
    const log = recordLog();
    const service = new Service({
      startsAt: '2026-11-02T22:30:00Z',
      alerts: { quietHours, sinks: [pinoSink()] },
    });
    await service.leak();
    await service.pass(10_000);
    expect(log).toEqual([expect.stringContaining('warn 1 connection leaked by')]);
  });
});

describe('a storm of alerts', () => {
  const stormCap = { max: 3, perMs: 10 * MINUTE };

  async function storm(service: Service, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await service.find('leak', { site: `Leak.number (src/leak.ts:${i})` });
      await service.pass(10_000);
    }
  }

  test('is told up to the cap, and then summed up once', async () => {
    const { service, got } = serviceWith({ stormCap }, '2026-11-02T10:00:00Z');
    await storm(service, 20);
    expect(kinds(got)).toEqual(['firing leak', 'firing leak', 'firing leak']);

    await service.pass(10 * MINUTE);
    expect(got[3]).toMatchObject({
      kind: 'storm',
      title: '17 more alerts were held back',
      severity: 'warning',
    });
    expect(got[3]!.facts.find(({ label }) => label === 'Held back')!.value).toContain(
      '1 connection leaked by Leak.number (src/leak.ts:3)',
    );
    await service.pass(HOUR);
    expect(got).toHaveLength(4);
  });

  test('resolves only what was told', async () => {
    const { service, got } = serviceWith({ stormCap }, '2026-11-02T10:00:00Z');
    await storm(service, 5);
    for (let i = 0; i < 5; i++) await service.end('leak', 'Over.', `Leak.number (src/leak.ts:${i})`);
    await service.pass(HOUR);
    expect(kinds(got).filter((kind) => kind === 'resolved leak')).toHaveLength(3);
  });

  test('does not keep the next interval from its own', async () => {
    const { service, got } = serviceWith({ stormCap }, '2026-11-02T10:00:00Z');
    await storm(service, 3);
    await service.pass(HOUR);
    await service.find('leak', { site: 'Late.one (src/late.ts:1)' });
    await service.pass(10_000);
    expect(kinds(got)).toHaveLength(4);
  });
});

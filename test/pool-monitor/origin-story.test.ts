import { DataSource, type QueryRunner } from 'typeorm';
import { createPoolMonitor, type PoolMonitor, slackWebhook } from 'holdfast/pool-monitor';
import { ManualClock } from 'holdfast/testing';
import { watchDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { type SlackServer, startSlack } from '../harness/slack/slack-server.js';

const postgres = useDatabase();
const mysql = useMysqlDatabase();
const noStock = new Error('no stock');

/** The service that holdfast began with: QueryRunner boilerplate, one forgotten release(). */
class OrderService {
  readonly lost: QueryRunner[] = [];

  constructor(private readonly dataSource: DataSource) {}

  async place(): Promise<void> {
    const runner = this.dataSource.createQueryRunner();
    this.lost.push(runner);
    await runner.connect();
    await runner.query("SELECT 'ada@example.com' AS buyer");
    throw noStock;
  }
}

describe.each([
  ['pg', () => new DataSource({ type: 'postgres', url: postgres.url, extra: { max: 10 } })],
  ['mysql2', () => new DataSource({ type: 'mysql', url: mysql.url, poolSize: 10 })],
])('a forgotten release() in a service on TypeORM and %s', (_driver, connect) => {
  let clock: ManualClock;
  let slack: SlackServer;
  let dataSource: DataSource;
  let monitor: PoolMonitor;
  let service: OrderService;

  beforeEach(async () => {
    clock = new ManualClock();
    slack = await startSlack();
    dataSource = await connect().initialize();
    service = new OrderService(dataSource);
    monitor = createPoolMonitor({
      service: 'orders',
      environment: 'production',
      version: 'a1b2c3d',
      clock,
      wallClock: () => clock.now(),
      server: { mode: 'off' },
      alerts: { sinks: [slackWebhook({ url: slack.webhookUrl })] },
    }).start();
    watchDataSource(monitor, dataSource, { name: 'shop' });
  });
  afterEach(async () => {
    await monitor.stop();
    await dataSource.destroy();
    await slack.close();
  });

  /** Resolves when Slack has answered: a clock that moves on while it does would be a Slack that is slow. */
  async function delivered(): Promise<void> {
    await slack.sawMessages(1);
    while (monitor.alerts()[0]?.outcomes[0]?.outcome !== 'sent') await new Promise(setImmediate);
  }

  test('Slack is told once, with the method and the line, and once more when it is over', async () => {
    for (let i = 0; i < 3; i++) await expect(service.place()).rejects.toBe(noStock);
    clock.advance(120_000);
    expect(slack.messages).toEqual([]);
    // Ten seconds for company, so that three leaks are one message.
    clock.advance(11_000);
    await delivered();
    expect(slack.messages).toHaveLength(1);
    const firing = JSON.stringify(slack.messages[0]!.blocks);
    expect(firing).toContain(
      '3 connections leaked by OrderService.place (test/pool-monitor/origin-story.test.ts:',
    );
    expect(firing).toContain('3 of 10');
    expect(firing).toContain('a1b2c3d');
    expect(firing).toContain('await queryRunner.release()');
    expect(firing).not.toContain('ada@example.com');

    clock.advance(3 * 3_600_000);
    expect(slack.messages).toHaveLength(1);

    for (const runner of service.lost) await runner.release();
    clock.advance(62_000);
    await delivered();
    expect(slack.messages).toHaveLength(2);
    expect(slack.messages[1]!.text).toContain('Resolved');
    expect(JSON.stringify(slack.messages[1]!.blocks)).toContain('3 came back');
    clock.advance(24 * 3_600_000);
    expect(slack.messages).toHaveLength(2);
    expect(slack.problems).toEqual([]);
  });
});

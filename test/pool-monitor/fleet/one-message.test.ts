import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '../../conformance/observing.js';
import { useDatabase } from '../../harness/database.js';
import { installedPackage } from '../../harness/installed-package.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { type SlackServer, startSlack } from '../../harness/slack/slack-server.js';

// A group time is for the slowest of three processes, on a machine that does other things as well. On MariaDB they meet every 5 s,
// which comes on top; PostgreSQL notifies.
const postgres = useDatabase();
const mysql = useMysqlDatabase();

/** A process of the service, with a monitor of its own and the packed library. */
class Pod {
  readonly ended: Promise<unknown>;
  readonly #process: ChildProcess;

  constructor(given: object) {
    const root = join(installedPackage(), 'dist/cjs');
    this.#process = fork(join(__dirname, 'leaky-pod.cjs'), [root, JSON.stringify(given)], { silent: true });
    this.ended = once(this.#process, 'exit');
  }

  /** Resolves when the pod has said so. */
  async said(word: string): Promise<void> {
    for (;;) if ((await once(this.#process, 'message'))[0] === word) return;
  }

  async tell(command: 'leak' | 'release', count?: number): Promise<void> {
    const done = this.said(command);
    this.#process.send({ command, count });
    await done;
  }

  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.ended;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

describe.each([
  {
    name: 'PostgreSQL',
    db: postgres,
    pool: () => ({ driver: 'pg', groupMs: 10_000, config: { connectionString: postgres.url, max: 8 } }),
  },
  {
    name: 'MariaDB',
    db: mysql,
    pool: () => ({ driver: 'mysql2', groupMs: 15_000, config: { uri: mysql.url, connectionLimit: 8 } }),
  },
])('three processes on $name', ({ db, pool }) => {
  let slack: SlackServer;
  let pods: Pod[];
  beforeEach(async () => {
    slack = await startSlack();
    pods = ['pod-1', 'pod-2', 'pod-3'].map(
      (instance) => new Pod({ ...pool(), instance, slack: slack.webhookUrl }),
    );
    db.defer(async () => {
      for (const pod of pods) pod.kill();
      await slack.close();
    });
    await Promise.all(pods.map((pod) => pod.said('ready')));
  });

  test('are told in one message, with the connections of all; and in one more when it is over', async () => {
    await Promise.all(pods.map((pod, index) => pod.tell('leak', index + 1)));
    await slack.sawMessages(1);
    const firing = JSON.stringify(slack.messages[0]!.blocks);
    expect(firing).toContain('6 connections leaked by placeOrder (test/pool-monitor/fleet/leaky-pod.cjs:');
    for (const instance of ['pod-1', 'pod-2', 'pod-3']) expect(firing).toContain(instance);

    await Promise.all(pods.map((pod) => pod.tell('release')));
    await until('the end of it', () => slack.messages.length > 1);
    expect(slack.messages.map(({ text }) => /Resolved/.test(text))).toEqual([false, true]);
    await Promise.all(pods.map((pod) => pod.stop()));
    expect(slack.messages).toHaveLength(2);
    expect(slack.problems).toEqual([]);
  });
});

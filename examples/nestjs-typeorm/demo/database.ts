import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

/** What the database holds for ada, the user who asks in every act. */
export interface Holdings {
  readonly questions: number;
  readonly points: number;
  readonly history: number;
  readonly drafts: number;
}

/** Looks at one service's database from outside, over a connection of its own. */
export class Database {
  private constructor(
    readonly url: string,
    readonly client: Client,
  ) {}

  static async create(serverUrl: string, name: string): Promise<Database> {
    const admin = await connect(serverUrl);
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.end();
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    return new Database(url.href, await connect(url.href));
  }

  /** Ada (1) has ten points and the draft 1; bob (2) has asked question 1. */
  async reset(): Promise<void> {
    await this.client.query(`
      TRUNCATE question, draft, point_history, "user" RESTART IDENTITY;
      INSERT INTO "user" (name, points) VALUES ('ada', 10), ('bob', 5);
      INSERT INTO point_history ("userId", points, reason) VALUES (1, 10, 'welcome'), (2, 5, 'asked');
      INSERT INTO question ("authorId", title, slug) VALUES (2, 'What is a lease?', 'what-is-a-lease');
      INSERT INTO draft ("authorId", title) VALUES (1, 'How do I keep two writes together?');
    `);
  }

  async holdings(): Promise<Holdings> {
    const { rows } = await this.client.query<Holdings>(`
      SELECT (SELECT count(*)::int FROM question WHERE "authorId" = 1) AS questions,
             (SELECT points FROM "user" WHERE id = 1) AS points,
             (SELECT sum(points)::int FROM point_history WHERE "userId" = 1) AS history,
             (SELECT count(*)::int FROM draft WHERE "authorId" = 1) AS drafts
    `);
    return rows[0]!;
  }

  /** A session of somebody else, who locks what a request needs. */
  async session<T>(work: (session: Client) => Promise<T>): Promise<T> {
    const session = await connect(this.url);
    try {
      return await work(session);
    } finally {
      await session.end();
    }
  }

  /** Resolves when this many sessions wait for a lock. */
  async waitForBlocked(count: number): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      const { rowCount } = await this.client.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      if ((rowCount ?? 0) >= count) return;
      await sleep(5);
    }
    throw new Error(`${count} session(s) were to wait for a lock within 60 s, and did not.`);
  }
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString, application_name: 'demo' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

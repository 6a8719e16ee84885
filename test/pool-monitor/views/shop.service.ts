import type { Pool, PoolClient } from 'pg';

/** A service that gives a connection back on no path. */
export class OrderService {
  readonly leaked: PoolClient[] = [];
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async place(): Promise<void> {
    const client = await this.#pool.connect();
    this.leaked.push(client);
    await client.query('BEGIN');
    await client.query('SELECT balance FROM account WHERE owner = $1', ['ada']);
  }
}

/** A service whose caller gives the connection back. */
export class ReportService {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async export(): Promise<PoolClient> {
    const client = await this.#pool.connect();
    await client.query('SELECT owner, balance FROM account');
    return client;
  }
}

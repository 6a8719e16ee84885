import { Client, Pool } from 'pg';
import type { PoolClient, PoolConfig } from 'pg';
import { useDatabase } from '../harness/database.js';
import { called, poolMaker, poolRows, prepare } from './pool-rows.js';

const db = useDatabase();

interface Hooks {
  onConnect?(client: PoolClient): unknown;
  verify?(client: PoolClient, callback: (error?: Error) => void): void;
}

const withHooks = (hooks: Hooks, options: PoolConfig = {}): PoolConfig => Object.assign(options, hooks);

describe.each(poolRows)('hooks and options of a $row pool', (row) => {
  const make = poolMaker(db, row);

  describe('onConnect', () => {
    test('runs once for a connection, before its first holder, who sees what it wrote', async () => {
      let calls = 0;
      const onConnect = (client: PoolClient): void => void Object.assign(client, { calls: ++calls });
      const pool = make(withHooks({ onConnect }, { max: 1 }));
      for (let round = 0; round < 2; round++) {
        const client = await pool.connect();
        expect(client).toMatchObject({ calls: 1 });
        client.release();
      }
      expect(calls).toBe(1);
    });

    test('is awaited', async () => {
      const onConnect = (client: PoolClient) => client.query("SET application_name = 'by hook'");
      const pool = make(withHooks({ onConnect }));
      const { rows } = await pool.query<{ name: string }>(
        "SELECT current_setting('application_name') AS name",
      );
      expect(rows).toEqual([{ name: 'by hook' }]);
    });

    test.each([
      [
        'throws',
        () => {
          throw new Error('refused by hook');
        },
      ],
      ['rejects', () => Promise.reject(new Error('refused by hook'))],
    ])('when it %s, the request gets its error and the connection is closed', async (_how, onConnect) => {
      const pool = make(withHooks({ onConnect }, { max: 1 }));
      await expect(pool.connect()).rejects.toThrow('refused by hook');
      await expect(pool.query('SELECT 1')).rejects.toThrow('refused by hook');
      expect([pool.totalCount, pool.waitingCount]).toEqual([0, 0]);
    });
  });

  describe('verify', () => {
    test('runs once for a connection', async () => {
      let calls = 0;
      const verify: Hooks['verify'] = (client, callback) => {
        calls++;
        client.query('SELECT 1', (error) => callback(error ?? undefined));
      };
      const pool = make(withHooks({ verify }, { max: 1 }));
      for (let round = 0; round < 2; round++) (await pool.connect()).release();
      await pool.query('SELECT 1');
      expect(calls).toBe(1);
    });

    test('its error is the request’s, and the connection is closed', async () => {
      const verify: Hooks['verify'] = (_client, callback) => callback(new Error('not verified'));
      const pool = make(withHooks({ verify }, { max: 1 }));
      const [error, client] = await called<[Error, undefined]>((callback) =>
        pool.connect(callback as () => void),
      );
      expect(error.message).toBe('not verified');
      expect(client).toBeUndefined();
      await expect(pool.query('SELECT 1')).rejects.toThrow('not verified');
      expect(pool.totalCount).toBe(0);
    });
  });

  describe('option Promise', () => {
    class OwnPromise<T> extends Promise<T> {}

    test('every call returns one of its promises', async () => {
      const pool = make({ Promise: OwnPromise });
      const connected = pool.connect();
      expect(connected).toBeInstanceOf(OwnPromise);
      (await connected).release();
      const queried = pool.query('SELECT 1');
      expect(queried).toBeInstanceOf(OwnPromise);
      await queried;
      const ended = pool.end();
      expect(ended).toBeInstanceOf(OwnPromise);
      await ended;
    });

    test('failing calls too', async () => {
      const pool = make({ Promise: OwnPromise, connectionString: `${db.url}_missing` });
      for (const ask of [() => pool.connect(), () => pool.query('SELECT 1')]) {
        const failing: Promise<unknown> = ask();
        expect(failing).toBeInstanceOf(OwnPromise);
        await expect(failing).rejects.toMatchObject({ code: '3D000' });
      }
    });
  });

  describe('subclasses', () => {
    type Method = (...args: unknown[]) => unknown;

    /** `base` with a method that notes each call. */
    function noting<C extends new (...args: never[]) => object>(base: C, methods: string[]) {
      const calls: unknown[] = [];
      const Sub = class extends (base as unknown as new (...args: unknown[]) => object) {};
      for (const method of methods) {
        const original = (base.prototype as Record<string, Method>)[method]!;
        (Sub.prototype as Record<string, Method>)[method] = function (this: unknown, ...args: unknown[]) {
          calls.push(`${method} ${typeof args[0] === 'string' ? args[0] : ''}`.trim());
          return Reflect.apply(original, this, args);
        };
      }
      return { Sub: Sub as unknown as C, calls };
    }

    test('a subclassed pool keeps its own methods, and its query() asks its connect()', async () => {
      const { Sub, calls } = noting(Pool, ['connect', 'query']);
      const pool = prepare(db, new Sub({ connectionString: db.url }), row);
      db.track(pool);
      (await pool.connect()).release();
      await pool.query('SELECT 1');
      expect(calls).toEqual(['connect', 'query SELECT 1', 'connect']);
      expect(pool).toBeInstanceOf(Sub);
    });

    test('a subclassed client keeps its own methods', async () => {
      const { Sub, calls } = noting(Client, ['query']);
      const client = await make({ Client: Sub } as PoolConfig).connect();
      await client.query('SELECT 1');
      await client.query('SELECT 2');
      expect(client).toBeInstanceOf(Sub);
      expect(calls).toEqual(['query SELECT 1', 'query SELECT 2']);
      client.release();
    });

    test('a subclassed client may have private fields', async () => {
      class DiscreetClient extends Client {
        readonly #secret = 'kept';
        reveal(): string {
          return this.#secret;
        }
      }
      const client = await make({ Client: DiscreetClient } as PoolConfig).connect();
      expect((client as unknown as DiscreetClient).reveal()).toBe('kept');
      client.release();
    });
  });

  describe('holders that replace methods of their client', () => {
    test('query and release are replaced and put back, as node-postgres documents', async () => {
      const pool = make({ max: 1 });
      const getClient = async (): Promise<PoolClient & { lastQuery?: unknown }> => {
        const client: PoolClient & { lastQuery?: unknown } = await pool.connect();
        const query = client.query as (...args: unknown[]) => unknown;
        const release = client.release as (error?: Error) => void;
        return Object.assign(client, {
          query: (...args: unknown[]) => {
            client.lastQuery = args[0];
            return query.apply(client, args);
          },
          release: (error?: Error) => {
            Object.assign(client, { query, release });
            return release.call(client, error);
          },
        });
      };
      for (let round = 0; round < 3; round++) {
        const client = await getClient();
        await expect(client.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
        expect(client.lastQuery).toBe('SELECT 1 AS one');
        client.release();
        expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
      }
      await expect(pool.query('SELECT 2 AS two')).resolves.toMatchObject({ rows: [{ two: 2 }] });
    });

    test('a method that is saved and put back at every checkout does not grow', async () => {
      const pool = make({ max: 1 });
      const seen = new Set<unknown>();
      for (let round = 0; round < 20; round++) {
        const client = await pool.connect();
        const ping = client.escapeLiteral as (text: string) => string;
        client.escapeLiteral = (text) => ping.call(client, text).toUpperCase();
        expect(client.escapeLiteral('a')).toBe("'A'");
        client.escapeLiteral = ping;
        seen.add(client.escapeLiteral);
        client.release();
      }
      expect(seen.size).toBe(1);
    });
  });
});

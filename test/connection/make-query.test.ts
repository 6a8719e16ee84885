import { Query } from 'pg';
import { makeQuery } from '../../src/connection/drivers/pg/make-query.js';
import type { PgQueryConstructor } from '../../src/connection/drivers/pg/pg-types.js';

const PgQuery = Query as unknown as PgQueryConstructor;
const types = { getTypeParser: () => String };

describe('a query that is made of a config is the one that pg makes of it', () => {
  test.each([
    { text: 'SELECT 1' },
    { text: 'SELECT $1', values: [1] },
    { text: 'SELECT $1', values: [1], name: undefined, rowMode: 'array', types },
    { text: 'SELECT $1', values: [], name: 'named', rowMode: undefined },
    { text: 'SELECT 1', binary: true },
    { text: 'SELECT 1', rows: 10, portal: 'portal' },
    { text: 'SELECT 1', queryMode: 'extended' },
    { text: 'SELECT 1', callback: () => {} },
    { name: 'only a name' },
    Object.assign(Object.create({ rowMode: 'array' }) as object, { text: 'SELECT 1' }),
    Object.create({ text: 'SELECT 1' }) as object,
  ])('%j', (config) => {
    expect(makeQuery(PgQuery, config, undefined)).toStrictEqual(new PgQuery(config));
  });

  test('values that come beside it', () => {
    const config = { text: 'SELECT $1', values: [1] };
    expect(makeQuery(PgQuery, config, [2])).toStrictEqual(new PgQuery(config, [2]));
    expect(config.values).toEqual([1]);
  });

  test('a text', () => {
    expect(makeQuery(PgQuery, 'SELECT $1', [1])).toStrictEqual(new PgQuery('SELECT $1', [1]));
  });
});

test('a driver that makes its queries in another way makes them itself', () => {
  class OtherQuery extends PgQuery {
    readonly made: string;

    constructor(config: unknown, values?: unknown) {
      super(config, values);
      this.made = typeof config;
    }
  }
  expect(makeQuery(OtherQuery, { text: 'SELECT 1' }, undefined)).toMatchObject({ made: 'object' });
});

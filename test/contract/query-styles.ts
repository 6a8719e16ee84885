import type { Pool, QueryResult } from 'pg';
import { called } from './pool-rows.js';

/** A pool, or a client of one. */
export type Queryable = Pick<Pool, 'query'>;

type Ask = (queryable: Queryable) => Promise<QueryResult>;
type Answer = [error: Error | null | undefined, result: QueryResult];

const calledBack = async (
  start: (callback: (...answer: Answer) => void) => unknown,
): Promise<QueryResult> => {
  const [error, result] = await called<Answer>(start);
  if (error) throw error;
  return result;
};

/** Every way to call `query()`; each asks for one row with the name `ada`. */
export const queryStyles: readonly (readonly [style: string, ask: Ask])[] = [
  ['text', (queryable) => queryable.query("SELECT 'ada' AS name")],
  ['text and values', (queryable) => queryable.query('SELECT $1::text AS name', ['ada'])],
  ['a config', (queryable) => queryable.query({ text: 'SELECT $1::text AS name', values: ['ada'] })],
  ['a config and values', (queryable) => queryable.query({ text: 'SELECT $1::text AS name' }, ['ada'])],
  [
    'a named statement',
    (queryable) => queryable.query({ name: 'n', text: 'SELECT $1::text AS name', values: ['ada'] }),
  ],
  ['text and a callback', (queryable) => calledBack((cb) => queryable.query("SELECT 'ada' AS name", cb))],
  [
    'text, values and a callback',
    (queryable) => calledBack((cb) => queryable.query('SELECT $1::text AS name', ['ada'], cb)),
  ],
  [
    'a config and a callback',
    (queryable) => calledBack((cb) => queryable.query({ text: "SELECT 'ada' AS name" }, cb)),
  ],
];

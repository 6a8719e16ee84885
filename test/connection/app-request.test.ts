import { type AppRequest, InvalidOptionsError, openRequest, runInRequest, runInTransaction } from 'holdfast';
import { ManualClock } from 'holdfast/testing';
import { currentRequest } from '../../src/connection/index.js';
import { failureOf, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { errorOf } from './inspect.js';
import { drivers } from './driver-pools.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

describe('runInRequest()', () => {
  test('is current in its work and in all that is awaited, and nowhere else', async () => {
    const [first, second] = await Promise.all(
      ['GET /orders', 'job:invoices'].map((label) =>
        runInRequest(label, async () => {
          await Promise.resolve();
          expect(currentRequest()).toMatchObject({ label, endedAt: undefined });
          return currentRequest()!;
        }),
      ),
    );
    expect(currentRequest()).toBeUndefined();
    expect([first!.label, second!.label]).toEqual(['GET /orders', 'job:invoices']);
  });

  test('ends when its promise has settled, and passes on what it settled with', async () => {
    const request = await runInRequest<AppRequest>('a', () => currentRequest()!);
    expect(request.endedAt).toBeGreaterThanOrEqual(request.startedAt);
    const seen: (AppRequest | undefined)[] = [];
    const boom = new Error('boom');
    const error = await failureOf(
      runInRequest('b', async () => {
        seen.push(currentRequest());
        await Promise.resolve();
        throw boom;
      }),
    );
    expect(error).toBe(boom);
    expect(seen[0]).toMatchObject({ label: 'b', endedAt: expect.any(Number) as number });
  });

  test.each<[label: unknown, work: unknown]>([
    ['', () => undefined],
    ['job', undefined],
    [7, () => undefined],
  ])('refuses %p and %p', async (label, work) => {
    const error = await failureOf(runInRequest(label as string, work as () => void));
    expect(error).toBeInstanceOf(InvalidOptionsError);
  });
});

describe('openRequest()', () => {
  test('takes its times from its clock, and ends once', () => {
    const clock = new ManualClock();
    clock.advance(10);
    const { request, run, end } = openRequest('GET /', clock);
    expect(run(() => currentRequest())).toBe(request);
    expect(request).toEqual({ label: 'GET /', startedAt: 10, endedAt: undefined });
    clock.advance(5);
    end();
    clock.advance(5);
    end();
    expect(request.endedAt).toBe(15);
  });

  test('refuses an empty label and what is no clock', () => {
    expect(errorOf(() => openRequest(''))).toBeInstanceOf(InvalidOptionsError);
    expect(errorOf(() => openRequest('a', {} as never))).toBeInstanceOf(InvalidOptionsError);
  });
});

describe.each(drivers)('$name', (driver) => {
  test('leases, and requests that wait, carry the request that they were asked for in', async () => {
    const { managed, connect, query } = driver.start({ pg, mysql }, { max: 1 });
    managed.observe({ ignoresQueries: true });
    await runInRequest('POST /orders', async () => {
      const request = currentRequest();
      const client = await connect();
      expect(managed.leases()).toMatchObject([{ kind: 'client' }]);
      expect(managed.leases()[0]!.request).toBe(request);

      const { request: other, run } = openRequest('GET /orders');
      const waits = run(() => query('SELECT 1'));
      await until('it to wait', () => managed.waiting().length === 1);
      expect(managed.waiting()[0]!.request).toBe(other);
      client.release();
      await waits;

      await runInTransaction(async () => {
        await query('SELECT 1');
        expect(managed.leases()).toMatchObject([{ kind: 'transaction' }]);
        expect(managed.leases()[0]!.request).toBe(request);
      });
    });
    const outside = await connect();
    expect(managed.leases()[0]!.request).toBeUndefined();
    outside.release();
  });
});

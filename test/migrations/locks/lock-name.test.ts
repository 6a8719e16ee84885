import { deployerLabel, readDeployerLabel } from '../../../src/migrations/locks/deployer.js';
import { javaHashCode, lockNameOf } from '../../../src/migrations/locks/lock-name.js';
import { useServer } from '../database/drivers.js';

test.each([
  // As Java 21 prints them.
  ['', 0],
  ['a', 97],
  ['hello world', 1794106052],
  ['polygenelubricants', -2147483648],
  ['"public"."flyway_schema_history"', javaOf('"public"."flyway_schema_history"')],
])("Java's hashCode of %j is %i", (text, hash) => {
  expect(javaHashCode(text)).toBe(hash);
});

/** The formula of the documentation, in numbers of any size. */
function javaOf(text: string): number {
  const sum = Array.from(Buffer.from(text, 'latin1')).reduce((hash, unit) => hash * 31n + BigInt(unit), 0n);
  return Number(BigInt.asIntN(32, sum));
}

describe('on PostgreSQL', () => {
  const server = useServer('pg');
  test("Flyway's history has Flyway's lock", async () => {
    const session = await server.open();
    const name = await lockNameOf(session, {
      format: 'flyway',
      table: 'flyway_schema_history',
      schema: undefined,
    });
    expect(name.advisoryId).toBe(77431708279161n + BigInt(javaOf('"public"."flyway_schema_history"')));
  });

  test("Prisma's has Prisma's, ours have one for each table", async () => {
    const session = await server.open();
    const of = (format: 'prisma' | 'holdfast' | 'flyway', table: string) =>
      lockNameOf(session, { format, table, schema: 'app' });
    expect((await of('prisma', '_prisma_migrations')).advisoryId).toBe(72707369n);
    const ids = [await of('holdfast', 'a'), await of('holdfast', 'b'), await of('flyway', 'a')].map(
      ({ advisoryId }) => advisoryId,
    );
    expect(new Set(ids).size).toBe(3);
  });
});

describe('on MySQL', () => {
  const server = useServer('mysql2');
  test("Flyway's history has Flyway's lock, and every name is short enough", async () => {
    const session = await server.open();
    const [row] = await session.query<{ name: string }>('SELECT DATABASE() AS name');
    const name = await lockNameOf(session, {
      format: 'flyway',
      table: 'flyway_schema_history',
      schema: undefined,
    });
    expect(name.named).toBe(`Flyway-${javaOf(`\`${row!.name}\`.\`flyway_schema_history\``)}`);
    expect(name.schema).toBe(row!.name);
    const long = await lockNameOf(session, {
      format: 'holdfast',
      table: 'x'.repeat(64),
      schema: 'y'.repeat(64),
    });
    expect(long.named.length).toBeLessThan(65);
    expect((await lockNameOf(session, { format: 'prisma', table: 'x', schema: 'y' })).named).toBe(
      'prisma_migrate',
    );
  });
});

test.each([
  [{ host: 'web-1', pid: 71 }, 'V2__add orders.sql'],
  [{ host: 'web-1', pid: 71 }, undefined],
  [{ host: 'shop-migrate-5d8f7c9b6d-x2x4z', pid: 4_194_304 }, 'V20260131120000__a_very_long_description.sql'],
])('a deployer fits into an application_name and is read back: %j', (deployer, migration) => {
  const label = deployerLabel(deployer, migration);
  expect(Buffer.byteLength(label)).toBeLessThan(64);
  const read = readDeployerLabel(label);
  expect(read.pid).toBe(deployer.pid);
  expect(deployer.host.endsWith(read.host!.replace('~', ''))).toBe(true);
  expect((migration ?? '').startsWith(read.migration ?? '')).toBe(true);
  expect(Boolean(read.migration)).toBe(Boolean(migration));
});

test('characters that the server would change are changed before, and other applications are not taken for deployers', () => {
  expect(deployerLabel({ host: 'büro', pid: 1 }, 'V1__für.sql')).toBe('holdfast migrate b?ro:1 V1__f?r.sql');
  expect(readDeployerLabel('psql')).toEqual({});
});

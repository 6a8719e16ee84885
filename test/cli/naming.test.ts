import type { ResolvedMigration } from 'holdfast/migrations';
import { type NewMigration, nextFiles } from '../../src/cli/naming.js';

const now = new Date('2026-01-31T12:34:56.789Z');
const resolved = (kind: ResolvedMigration['kind'], script: string): ResolvedMigration => ({
  kind,
  description: '',
  script,
  checksum: 0,
  sha256: '',
  body: { kind: 'sql', path: `/m/${script}` },
});
const names = (scripts: readonly string[], wanted: Partial<NewMigration> = {}): string[] =>
  nextFiles(
    scripts.map((script) => resolved('versioned', script)),
    { name: 'add orders', kind: 'sql', hasUndo: false, now, ...wanted },
  ).files.map(({ name }) => name);

describe('the next file is named as the highest version is', () => {
  test.each([
    ['none', [], ['V1__add_orders.sql']],
    ['V1', ['V1__a.sql'], ['V2__add_orders.sql']],
    ['V9', ['V2__a.sql', 'V9__a.sql'], ['V10__add_orders.sql']],
    ['V007', ['V007__a.sql'], ['V008__add_orders.sql']],
    ['V1.2', ['V1.2__a.sql'], ['V1.3__add_orders.sql']],
    ['V1_9', ['V1_9__a.sql'], ['V1_10__add_orders.sql']],
    ['a number', ['001_a.sql'], ['002_add_orders.sql']],
    ['a number and a dash', ['3-a.sql'], ['4-add_orders.sql']],
    ['a time of seconds', ['20250101000000_a.sql'], ['20260131123456_add_orders.sql']],
    ['a time of minutes', ['202501010000_a.sql'], ['202601311234_add_orders.sql']],
    ['V and a time', ['V20250101000000__a.sql'], ['V20260131123456__add_orders.sql']],
    ['milliseconds since 1970', ['1700000000000-a.ts'], ['1769862896789-add_orders.sql']],
    ['a time in the future', ['20990101000000_a.sql'], ['20990101000001_add_orders.sql']],
    ["a folder of Prisma's", ['20250101000000_a/migration.sql'], ['20260131123456_add_orders/migration.sql']],
    ['a version of three parts', ['1.2.9-a.sql'], ['1.2.10-add_orders.sql']],
    ['a pair', ['3_a.up.sql'], ['4_add_orders.up.sql', '4_add_orders.down.sql']],
    ['a file in a folder of its year', ['2025/V3__a.sql'], ['V4__add_orders.sql']],
    ['a name with a version inside', ['V3__to_v2_1__x.sql'], ['V4__add_orders.sql']],
    ['a name with spaces', ['V3__a b c.sql'], ['V4__add_orders.sql']],
  ])('%s', (_, scripts, expected) => {
    expect(names(scripts)).toEqual(expected);
  });
});

test.each([
  ['V', ['V1__a.sql'], { hasUndo: true }, ['V2__add_orders.sql', 'U2__add_orders.sql']],
  ['a number', ['1_a.sql'], { hasUndo: true }, ['2_add_orders.up.sql', '2_add_orders.down.sql']],
  [
    'a folder',
    ['20250101000000_a/migration.sql'],
    { hasUndo: true },
    ['20260131123456_add_orders/migration.sql', '20260131123456_add_orders/down.sql'],
  ],
  ['code', ['V1__a.sql'], { kind: 'code' }, ['V2__add_orders.ts']],
  ['repeatable', ['V1__a.sql'], { kind: 'repeatable' }, ['R__add_orders.sql']],
] as const)('with %s: %j and %j', (_, scripts, wanted, expected) => {
  expect(names(scripts, wanted)).toEqual(expected);
});

test.each([
  ['Add  Orders!', 'V1__Add_Orders.sql'],
  ['../../etc/passwd', 'V1__etc_passwd.sql'],
  ['注文 テーブル', 'V1__注文_テーブル.sql'],
  ['__x__', 'V1__x.sql'],
])('%j becomes %j', (name, expected) => {
  expect(names([], { name })).toEqual([expected]);
});

test('a name without a letter is refused', () => {
  expect(() => names([], { name: ' -- ' })).toThrow(/names nothing/);
});

test('where a file holds both directions the new one does', () => {
  const body = { kind: 'sql', path: '/m/1_a.sql', section: 'up' } as const;
  const { files } = nextFiles([{ ...resolved('versioned', '1_a.sql'), body }], {
    name: 'x',
    kind: 'sql',
    hasUndo: false,
    now,
  });

  expect(files).toEqual([{ name: '2_x.sql', content: '-- migrate:up\n\n-- migrate:down\n' }]);
});

test('code with an undo has both functions', () => {
  const [file] = nextFiles([], { name: 'x', kind: 'code', hasUndo: true, now }).files;

  expect(file!.content).toMatch(/function up\(.*function down\(/s);
});

import type { ResolvedMigration } from 'holdfast/migrations';
import { type NewMigration, nextFiles } from '../../src/cli/naming.js';
import { parseFileName } from '../../src/migrations/sources/file-name.js';
import { compareVersions, type Version } from '../../src/migrations/version.js';

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
    [
      "umzug's time",
      ['2024.03.01T12.00.00.x.js', '2024.03.02T12.00.00.y.js'],
      ['2026.01.31T12.34.56.add_orders.sql'],
    ],
    ["umzug's time and a dash", ['2024.03.01T12.00.00-x.sql'], ['2026.01.31T12.34.56-add_orders.sql']],
    ["umzug's time in the future", ['2099.12.31T23.59.59.x.sql'], ['2100.01.01T00.00.00.add_orders.sql']],
    ['a date', ['2025-01-31-a.sql'], ['2026-01-31-add_orders.sql']],
    ['the date of today', ['2026-01-31_a.sql'], ['2026-01-31T12-34-56_add_orders.sql']],
    ['a date and a time', ['2025-01-31T10-20-30_a.sql'], ['2026-01-31T12-34-56_add_orders.sql']],
    ['a date and digits', ['2025-01-31-102030-a.sql'], ['2026-01-31-123456-add_orders.sql']],
    ['V and a time with dots', ['V2025.01.31.10.20.30__a.sql'], ['V2026.01.31.12.34.56__add_orders.sql']],
    ['V and a time with underscores', ['V2025_01_31_1020__a.sql'], ['V2026_01_31_1234__add_orders.sql']],
    ['V and such a time in the future', ['V2099.01.31.1020__a.sql'], ['V2099.01.31.1021__add_orders.sql']],
    ['V and a year with a number', ['V2025.3__a.sql'], ['V2025.4__add_orders.sql']],
    [
      'a folder with such a time',
      ['2025.01.31T10.20.30_a/migration.sql'],
      ['2026.01.31T12.34.56_add_orders/migration.sql'],
    ],
    ['a folder with a number', ['1.2_a/migration.sql'], ['1.3_add_orders/migration.sql']],
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

test.each([
  [['V1__a.sql'], { name: 'x'.repeat(320) }],
  [['1_a.up.sql'], { name: 'x'.repeat(245) }],
  [['V1__a.sql'], { name: '注文'.repeat(50) }],
  [['20250101000000_a/migration.sql'], { name: 'x'.repeat(250) }],
  [[], { name: 'x'.repeat(320), kind: 'repeatable' }],
  [[], { name: 'x'.repeat(320), kind: 'code' }],
] as const)('a name that no file can have is refused, beside %j', (scripts, wanted) => {
  expect(() => names(scripts, wanted)).toThrow(/longer than a file name can be, 255 bytes.*fewer words/);
});

test('every name that create makes is above what was there', () => {
  for (const name of [
    '2024.03.01T12.00.00.x.js',
    '2026-01-31.sql',
    '2099.12.31T23.59.59.x.sql',
    '2024.13.45T99.99.99.x.sql',
  ]) {
    const [made] = names([name]);
    const [before, after] = [name, made!].map((each) => parseFileName(each) as { version: Version });
    expect(compareVersions(before!.version, after!.version)).toBe(-1);
  }
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

import { CALLBACK_MOMENTS } from '../../../src/migrations/events';
import { type FileName, parseFileName, parseFolderName } from '../../../src/migrations/sources/file-name';

/** `V 1.2 "add orders" sql`: kind, version, description, language. */
function inShort(name: FileName): string {
  if (name.kind === 'migration')
    return `${name.migration} ${name.version?.text ?? '-'} "${name.description}" ${name.language}`;
  if (name.kind === 'callback') return `callback ${name.moment} "${name.description}" ${name.language}`;
  return 'reason' in name ? `${name.kind}: ${name.reason}` : name.kind;
}

describe('a name that is a migration’s', () => {
  test.each([
    // Flyway
    ['V1__add_orders.sql', 'versioned 1 "add orders" sql'],
    ['V1.2__add.sql', 'versioned 1.2 "add" sql'],
    ['V1_2__add.sql', 'versioned 1.2 "add" sql'],
    ['V001__add.sql', 'versioned 001 "add" sql'],
    ['V20260131120000__add.sql', 'versioned 20260131120000 "add" sql'],
    ['V1__add__twice.sql', 'versioned 1 "add  twice" sql'],
    ['V1___add.sql', 'versioned 1 " add" sql'],
    ['V1__.sql', 'versioned 1 "" sql'],
    ['V1.sql', 'versioned 1 "" sql'],
    ['V1__add.orders.sql', 'versioned 1 "add.orders" sql'],
    ['V1__with space and - dash.sql', 'versioned 1 "with space and - dash" sql'],
    ['V1__größe_表.sql', 'versioned 1 "größe 表" sql'],
    ['V1__gro\u0308ße.sql', 'versioned 1 "größe" sql'],
    ['R__view_of_orders.sql', 'repeatable - "view of orders" sql'],
    ['U1.2__add.sql', 'undo 1.2 "add" sql'],
    ['B5__all.sql', 'baseline 5 "all" sql'],
    ['V3__x.ts', 'versioned 3 "x" code'],
    ['R__view.js', 'repeatable - "view" code'],
    // timestamps and numbers
    ['20260131120000_add_orders.sql', 'versioned 20260131120000 "add orders" sql'],
    ['20260131120000-add-orders.js', 'versioned 20260131120000 "add-orders" code'],
    ['20260131120000_2_factor.sql', 'versioned 20260131120000 "2 factor" sql'],
    ['20260131120000.sql', 'versioned 20260131120000 "" sql'],
    ['1700000000000-CreateOrders.ts', 'versioned 1700000000000 "CreateOrders" code'],
    ['0001_init.mjs', 'versioned 0001 "init" code'],
    ['001.cjs', 'versioned 001 "" code'],
    ['1.2.x.sql', 'versioned 1.2 "x" sql'],
    ['2026.01.31T12.00.00.users.ts', 'versioned 20260131120000 "users" code'],
    ['2026.01.31.2factor.sql', 'versioned 2026.01.31 "2factor" sql'],
    ['2026-01-31-add.sql', 'versioned 20260131000000 "add" sql'],
    ['2026-01-31-120500_add.sql', 'versioned 20260131120500 "add" sql'],
    ['2026-01-31T12-05-00_add.sql', 'versioned 20260131120500 "add" sql'],
    ['12 with space.sql', 'versioned 12 "with space" sql'],
    // pairs
    ['000001_x.up.sql', 'versioned 000001 "x" sql'],
    ['000001_x.down.sql', 'undo 000001 "x" sql'],
    ['V1__x.up.sql', 'versioned 1 "x" sql'],
    ['V1__x.down.sql', 'undo 1 "x" sql'],
    ['V1.up.sql', 'versioned 1 "" sql'],
    ['7.down.sql', 'undo 7 "" sql'],
    ['001.do.create-orders.sql', 'versioned 001 "create-orders" sql'],
    ['001.undo.create-orders.sql', 'undo 001 "create-orders" sql'],
    ['001.do.sql', 'versioned 001 "" sql'],
    ['20260131120000_undo.sql', 'versioned 20260131120000 "undo" sql'],
    ['20260131120000_x.down.ts', 'versioned 20260131120000 "x.down" code'],
    ['R__x.up.sql', 'repeatable - "x.up" sql'],
    // callbacks
    ['beforeMigrate.sql', 'callback beforeMigrate "" sql'],
    ['afterMigrate__grant_rights.sql', 'callback afterMigrate "grant rights" sql'],
    ['beforeEachMigrate__x.ts', 'callback beforeEachMigrate "x" code'],
  ])('%s', (name, expected) => {
    expect(inShort(parseFileName(name))).toBe(expected);
  });

  test.each(CALLBACK_MOMENTS)('%s is a callback, with and without a description', (moment) => {
    expect(inShort(parseFileName(`${moment}.sql`))).toBe(`callback ${moment} "" sql`);
    expect(inShort(parseFileName(`${moment}__x_y.js`))).toBe(`callback ${moment} "x y" code`);
  });
});

describe('a name that was meant to be one says what it should be', () => {
  test.each([
    ['V1_add.sql', /V1__add\.sql/],
    ['V1_2_add.sql', /V1\.?_?2__add\.sql/],
    ['V1-add.sql', /V1__add\.sql/],
    ['V1 add.sql', /V1__add\.sql/],
    ['V_1__add.sql', /V1__add\.sql/],
    ['v2__x.sql', /V2__x\.sql/],
    ['v2_x.ts', /V2__x\.ts/],
    ['u2__x.sql', /U2__x\.sql/],
    ['r__view.sql', /R__view\.sql/],
    ['R_view.sql', /R__view\.sql/],
    ['R1__view.sql', /R__view\.sql/],
    ['V__add.sql', /V<version>__add\.sql/],
    ['V1a__add.sql', /no version/],
    ['R__.sql', /no version/],
    ['V2__x.SQL', /V2__x\.sql/],
    ['V2__x.Ts', /V2__x\.ts/],
    ['20260131120000_x.SQL', /20260131120000_x\.sql/],
    ['v2__x.SQL', /v2__x\.sql/],
    ['V2__x', /V2__x\.sql/],
    ['V2__x.py', /\.sql, \.ts or \.js/],
    ['V2__x.java', /\.sql, \.ts or \.js/],
    ['add_orders.sql', /V<version>__add_orders\.sql.*R__add_orders\.sql.*_add_orders\.sql/],
    ['migration.sql', /no version/],
    ['beforemigrate.sql', /beforeMigrate/],
    ['BeforeMigrate__x.sql', /beforeMigrate/],
    ['beforeMigrat.sql', /Did you mean beforeMigrate\?/],
    ['beforeConnect.sql', /no callback is called beforeConnect/],
    ['afterEachMigrateStatement.sql', /no callback is called/],
    ['createSchema.sql', /no callback is called createSchema/],
  ])('%s', (name, reason) => {
    const parsed = parseFileName(name);
    expect(parsed).toMatchObject({ kind: 'misnamed', reason: expect.stringMatching(reason) });
  });
});

describe('a name that may have been meant to be one is told', () => {
  test.each([
    ['V2__x.sql.bak', /\.bak/],
    ['V2__x.sql~', /~/],
    ['V2__x.SQL.orig', /\.orig/],
    ['V2__x.sql.txt', /\.txt/],
    ['20260131120000_x.sql.swp', /\.swp/],
    ['V2__x.ts.old', /\.old/],
    ['beforeMigrate.sql.bak', /\.bak/],
    ['V2__x.sql.conf', /no-transaction/],
    ['notes.SQL.txt', /\.txt/],
    ['V2__orders.csv', /extension/],
    ['beforeClean.sql', /no command/],
    ['afterInfo__x.sql', /no command/],
    ['20260131120000_x.test.ts', /test/],
    ['V1__x.spec.js', /test/],
    ['helpers.ts', /no version/],
    ['index.js', /no version/],
    ['u2f.ts', /no version/],
    ['v8-flags.js', /no version/],
    ['beforeAll.ts', /no version/],
  ])('%s', (name, reason) => {
    expect(parseFileName(name)).toMatchObject({ kind: 'ignored', reason: expect.stringMatching(reason) });
  });
});

describe('a name that is nothing of ours', () => {
  test.each([
    '.V1__x.sql',
    '.DS_Store',
    '_helpers.sql',
    '_shared.ts',
    'V1__x.d.ts',
    'V1__x.d.mts',
    'V1__x.js.map',
    'migration_lock.toml',
    'README.md',
    'atlas.sum',
    'package.json',
    'Vacation.md',
    'Report_2026.pdf',
    'Base.md',
    '20260131_numbers.csv',
    'seed.Ts',
  ])('%s', (name) => {
    expect(parseFileName(name).kind).toBe('other');
  });
});

describe('a folder that is a migration', () => {
  test.each([
    ['20260131120000_add_orders', '20260131120000', 'add orders'],
    ['20260131120000', '20260131120000', ''],
    ['0_init', '0', 'init'],
    ['2026-01-31-120000_add', '20260131120000', 'add'],
  ])('%s', (name, version, description) => {
    expect(parseFolderName(name)).toMatchObject({ version: { text: version }, description });
  });

  test.each(['sql', 'v1', '2fa', 'node_modules'])('%s is none', (name) => {
    expect(parseFolderName(name)).toBeUndefined();
  });
});

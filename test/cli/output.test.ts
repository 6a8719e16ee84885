import { progressLine } from '../../src/cli/output/progress-line.js';
import { type Column, printTable } from '../../src/cli/output/table.js';
import { displayWidth, duration, printable, truncate } from '../../src/cli/output/text.js';
import { type Env, outputOf, Screen } from './screen.js';

const colourCode = String.fromCharCode(27) + '[';

describe('the width of a text on a terminal', () => {
  test.each([
    ['plain', 5],
    ['', 0],
    ['日本語', 6],
    ['한국어', 6],
    ['é', 1],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['✓', 1],
    ['ｆｕｌｌ', 8],
    [`${colourCode}31mred${colourCode}39m`, 3],
  ])('%j is %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  test.each([
    ['abcdef', 4, 'abc…'],
    ['abcd', 4, 'abcd'],
    ['日本語日本語', 6, '日本…'],
    ['👩‍👩‍👧👩‍👩‍👧', 3, '👩‍👩‍👧…'],
    ['abc', 0, ''],
  ])('%j is cut to %i as %j', (text, width, cut) => {
    expect(truncate(text, width)).toBe(cut);
  });
});

test.each([
  [0.4, '0 ms'],
  [999, '999 ms'],
  [1000, '1.0 s'],
  [59_949, '59.9 s'],
  [59_950, '1 min 00 s'],
  [125_000, '2 min 05 s'],
  [3_599_600, '1 h 00 min'],
  [7_320_000, '2 h 02 min'],
])('%d ms is %j', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test('what would steer a terminal is shown instead', () => {
  expect(printable('a\u001b[2Jb\rc\u0007\n\td')).toBe('a\\x1b[2Jb\\x0dc\\x07\n\td');
});

describe('a table', () => {
  interface Row {
    readonly version: string;
    readonly what: string;
    readonly by: string;
  }
  const columns: readonly Column<Row>[] = [
    { title: 'Version', text: ({ version }) => version },
    { title: 'Description', text: ({ what }) => what, flexible: true },
    { title: 'By', text: ({ by }) => by, dropOrder: 1, colour: (text) => `<${text}>` },
  ];
  const rows: readonly Row[] = [
    { version: '1', what: 'add orders', by: 'deploy' },
    { version: '20260131120000', what: '注文テーブルを追加する、そして索引も', by: 'deploy' },
  ];
  const printed = (width: number | undefined, what = rows): string[] => {
    const screen = new Screen(width);
    printTable(outputOf(screen, { NO_COLOR: '1' }), what, columns);
    return screen.lines;
  };

  test('is whole where there is no terminal, without colours of ours', () => {
    expect(printed(undefined)).toEqual([
      'Version         Description                           By',
      '1               add orders                            <deploy>',
      '20260131120000  注文テーブルを追加する、そして索引も  <deploy>',
    ]);
  });

  test.each([100, 70, 60, 50, 40, 30])('fits %i columns', (width) => {
    for (const line of printed(width))
      expect(displayWidth(line.replace(/[<>]/g, ''))).toBeLessThanOrEqual(width);
  });

  test('cuts the flexible column before it drops one, and drops one before that becomes too short', () => {
    expect(printed(50)[2]).toMatch(/^20260131120000 {2}注文テーブルを追加する、… +<deploy>$/);
    expect(printed(30)[2]).toMatch(/^20260131120000 {2}注文テーブル…$/);
  });

  test('keeps a row on one line, whatever a name holds', () => {
    expect(printed(undefined, [{ version: '1', what: 'a\nb\u001b[2J', by: '' }])).toHaveLength(2);
  });

  test('takes a thousand rows', () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({
      ...rows[index % 2]!,
      version: String(index),
    }));

    expect(printed(40, many)).toHaveLength(1001);
  });
});

describe('the progress line', () => {
  const running = {
    script: 'V3__add_a_column_with_a_long_name.sql',
    number: 3,
    of: 12,
    elapsedMs: 61_000,
    statements: 12_000,
    share: 0.45,
  };

  test('has everything where there is room', () => {
    expect(progressLine(running, 120)).toBe(
      '[3/12]  V3__add_a_column_with_a_long_name.sql  ━━━━━━━━━───────────   45 %  12,000 statements  1 min 01 s',
    );
  });

  test('names no share that nobody knows', () => {
    expect(progressLine({ ...running, share: undefined, statements: 1 }, 120)).toBe(
      '[3/12]  V3__add_a_column_with_a_long_name.sql  1 min 01 s',
    );
  });

  test.each([119, 100, 80, 60, 40, 20, 10, 5])('fits %i columns', (width) => {
    const line = progressLine(running, width);

    expect(displayWidth(line)).toBeLessThanOrEqual(width);
    expect(line).toMatch(width >= 40 ? /^\[3\/12\] {2}V3__add.*1 min 01 s$/ : /^\[/);
  });

  test('fits with a wide name', () => {
    expect(
      displayWidth(progressLine({ ...running, script: 'V3__注文テーブルを追加する.sql' }, 40)),
    ).toBeLessThanOrEqual(40);
  });
});

describe('colours', () => {
  test.each<[string, number | undefined, Env, boolean]>([
    ['a terminal', 80, {}, true],
    ['no terminal', undefined, {}, false],
    ['NO_COLOR', 80, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR', 80, { NO_COLOR: '' }, true],
    ['NO_COLOR against FORCE_COLOR', 80, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    ['FORCE_COLOR without a terminal', undefined, { FORCE_COLOR: '1' }, true],
    ['FORCE_COLOR=0', 80, { FORCE_COLOR: '0' }, false],
    ['TERM=dumb', 80, { TERM: 'dumb' }, false],
    ['CI without a terminal', undefined, { CI: 'true' }, false],
  ])('%s', (_, columns, env, expected) => {
    expect(outputOf(new Screen(columns), env).colours.isColorSupported).toBe(expected);
  });
});

test('what is written after the reader has gone is dropped', () => {
  const screen = new Screen();
  const output = outputOf(screen);
  output.line('heard');
  screen.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  output.line('not heard');

  expect(screen.text).toBe('heard\n');
});

import { ScriptReader } from '../../../src/migrations/sql/script-reader.js';
import { locate, SourceCursor } from '../../../src/migrations/sql/source-cursor.js';
import type { ReplacedText } from '../../../src/migrations/sql/statement.js';

async function readAll(reader: ScriptReader): Promise<void> {
  while (await reader.more());
}

describe('SourceCursor', () => {
  test.each([
    ['', 1, 1],
    ['abc', 1, 4],
    ['a\nb', 2, 2],
    ['a\r\nb', 2, 2],
    ['a\rb', 2, 2],
    ['a\n\rb', 3, 2],
    ['a\r\r\nb', 3, 2],
    ['\t\v\f', 1, 4],
    ['é日', 1, 3],
    ['a😀b', 1, 4],
    ['\n\n', 3, 1],
  ])('after %j it stands at %i:%i, moved at once or unit by unit', (text, line, column) => {
    const whole = new SourceCursor();
    whole.move(text);
    expect(whole.position).toEqual({ line, column, offset: text.length });
    const stepwise = new SourceCursor();
    for (const unit of text.split('')) stepwise.move(unit);
    expect(stepwise.position).toEqual(whole.position);
    const within = new SourceCursor().enter(text);
    for (let index = 0; index <= text.length; index++) within.moveTo(index);
    expect(within.position).toEqual(whole.position);
  });
});

describe('ScriptReader', () => {
  test('what was scanned goes away, what was not stays', async () => {
    const reader = new ScriptReader(['abc', 'def', '']);
    expect(await reader.more()).toBe(true);
    reader.at = 2;
    expect(await reader.more()).toBe(true);
    expect([reader.text, reader.at, reader.ended]).toEqual(['cdef', 0, false]);
    expect(await reader.more()).toBe(true);
    expect([reader.text, reader.ended]).toEqual(['cdef', true]);
    expect(await reader.more()).toBe(false);
  });

  test('a byte order mark is left out, at the beginning only, and counts as nothing', async () => {
    const reader = new ScriptReader(['', '\uFEFFa', '\uFEFFb']);
    await readAll(reader);
    expect(reader.text).toBe('a\uFEFFb');
    expect(reader.positionAt(1)).toEqual({ line: 1, column: 2, offset: 1 });
  });

  test('a part goes on over pieces and says where it began', async () => {
    const reader = new ScriptReader(['\n  on', 'e\n', 'two;', 'x']);
    await reader.more();
    reader.begin(3);
    do reader.at = reader.text.length;
    while ((await reader.more()) && !reader.text.includes(';'));
    expect(reader.end(reader.text.indexOf(';'))).toEqual({
      text: 'one\ntwo',
      start: { line: 2, column: 3, offset: 3 },
    });
    expect(reader.inPart).toBe(false);
  });

  test('what was opened is known by its place after its text is gone', async () => {
    const reader = new ScriptReader(['(\n', " '", 'x', ')']);
    await reader.more();
    reader.opens(0);
    reader.at = 2;
    await reader.more();
    reader.opens(1);
    reader.at = 2;
    await readAll(reader);
    expect(reader.innermostOpen).toEqual({ line: 2, column: 2, offset: 3 });
    reader.closes();
    expect(reader.innermostOpen).toEqual({ line: 1, column: 1, offset: 0 });
    reader.closes();
    expect(reader.innermostOpen).toBeUndefined();
  });

  test('stop() ends the source', async () => {
    let ended = false;
    async function* source(): AsyncGenerator<string> {
      try {
        yield 'a';
        yield 'b';
      } finally {
        ended = true;
      }
    }
    const reader = new ScriptReader(source());
    await reader.more();
    await reader.stop();
    expect([ended, await reader.more()]).toEqual([true, false]);
  });
});

describe('replaced text', () => {
  const replaced: ReplacedText = { value: 'x\ny;\nz', source: '${name}' };

  test('places after it are counted by what the file has', async () => {
    const reader = new ScriptReader(['a ', replaced, ' b\nc', { value: '', source: '${none}' }, 'd']);
    await readAll(reader);
    expect(reader.text).toBe('a x\ny;\nz b\ncd');
    const at = (what: string): unknown => reader.positionAt(reader.text.indexOf(what));
    expect(at('a')).toEqual({ line: 1, column: 1, offset: 0 });
    expect(at('x')).toEqual({ line: 1, column: 3, offset: 2 });
    expect(at('z')).toEqual({ line: 1, column: 3, offset: 2 });
    expect(at(' b')).toEqual({ line: 1, column: 10, offset: 9 });
    expect(at('c')).toEqual({ line: 2, column: 1, offset: 12 });
    expect(at('d')).toEqual({ line: 2, column: 9, offset: 20 });
  });

  test('the end of the script is counted where nothing new is seen with it', async () => {
    const reader = new ScriptReader(['\n\nab', '']);
    await reader.more();
    reader.at = 3;
    await reader.more();
    expect([reader.ended, reader.positionAt(1)]).toEqual([true, { line: 3, column: 3, offset: 4 }]);
  });

  test.each([1, 2, 3, 100])('a place inside a part is found, %i units scanned at a time', async (step) => {
    const reader = new ScriptReader(['12', replaced, ' b\nc', replaced, ' d']);
    await reader.more();
    reader.begin(0);
    do reader.at = Math.min(reader.text.length, step);
    while (await reader.more());
    const part = reader.end(reader.text.length);
    expect(part.text).toBe('12x\ny;\nz b\ncx\ny;\nz d');
    expect(locate(part, 0)).toEqual(part.start);
    expect(locate(part, part.text.indexOf('y'))).toEqual({ line: 1, column: 3, offset: 2 });
    expect(locate(part, part.text.indexOf('b'))).toEqual({ line: 1, column: 11, offset: 10 });
    expect(locate(part, part.text.indexOf('c'))).toEqual({ line: 2, column: 1, offset: 12 });
    expect(locate(part, part.text.lastIndexOf('y'))).toEqual({ line: 2, column: 2, offset: 13 });
    expect(locate(part, part.text.indexOf('d'))).toEqual({ line: 2, column: 10, offset: 21 });
    expect(locate(part, part.text.length + 5)).toEqual({ line: 2, column: 11, offset: 22 });
  });

  test('two parts can end and begin inside one value', async () => {
    const reader = new ScriptReader(['a', { value: 'b;c', source: '${v}' }, 'd']);
    await readAll(reader);
    reader.begin(0);
    const first = reader.end(2);
    reader.begin(3);
    const second = reader.end(5);
    expect([first.text, second.text]).toEqual(['ab', 'cd']);
    expect(second.start).toEqual({ line: 1, column: 2, offset: 1 });
    expect(locate(second, 1)).toEqual({ line: 1, column: 6, offset: 5 });
    expect(locate(first, 2)).toEqual({ line: 1, column: 6, offset: 5 });
  });
});

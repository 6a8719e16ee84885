import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './markdown.js';

interface Export {
  readonly title: string;
  readonly text: string;
  readonly isFunction: boolean;
  readonly hasExample: boolean;
}

/** What an editor shows of everything that the package's doors export. */
function exportsOfDoors(): Export[] {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object };
  const doors = Object.keys(exports)
    .filter((door) => door !== './package.json')
    .map((door) => join(root, 'src', door, 'index.ts'));
  const { config } = ts.readConfigFile(join(root, 'tsconfig.cjs.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram(doors, options);
  const checker = program.getTypeChecker();
  return doors.flatMap((door) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(door)!)!;
    return checker.getExportsOfModule(module).map((exported) => {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
      return {
        title: `${exported.name} of ${door.slice(root.length)}`,
        text: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
        isFunction: (symbol.flags & ts.SymbolFlags.Function) !== 0,
        hasExample: symbol.getJsDocTags(checker).some(({ name }) => name === 'example'),
      };
    });
  });
}

const all = exportsOfDoors();

test('every public export says what it is', () => {
  expect(all.length).toBeGreaterThan(100);
  expect(all.filter(({ text }) => text === '').map(({ title }) => title)).toEqual([]);
});

test('every public function has an example', () => {
  const functions = all.filter(({ isFunction }) => isFunction);
  expect(functions.length).toBeGreaterThan(20);
  expect(functions.filter(({ hasExample }) => !hasExample).map(({ title }) => title)).toEqual([]);
});

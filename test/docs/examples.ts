import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allBlocks, type Block, root } from './markdown.js';

const folder = join(root, 'test/docs/.generated');
const IMPORT = /^import\s[^]*?from\s+'[^']+';$|^import '[^']+';$/gm;
const EXPORTED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:let|const|class|function|interface|type) (\w+)/gm;

/** A block of TypeScript as a module: its imports, and the rest of it inside `example()`. */
export interface Example {
  readonly title: string;
  readonly fixture: string;
  readonly path: string;
}

/** Writes every example of the documents as a module and answers those whose fixture is meant. */
export function writeExamples(isMeant: (fixture: string) => boolean): Example[] {
  mkdirSync(folder, { recursive: true });
  return allBlocks('ts', 'typescript')
    .map(writeExample)
    .filter(({ fixture }) => isMeant(fixture));
}

/** Examples of NestJS run in the suite of native ES modules. */
export const isNestFixture = (fixture: string): boolean => fixture.startsWith('nest');

function writeExample(block: Block): Example {
  const { file, line, fixture } = block;
  const title = `${file}:${line}`;
  if (!fixture)
    throw new Error(`${title}: a block of TypeScript needs <!-- example: fixture --> in front of it`);
  const path = join(folder, `${file.replace(/\W+/g, '-')}-${line}.ts`);
  writeFileSync(path, moduleOf(block, fixture));
  return { title, fixture, path };
}

function moduleOf({ file, line, code, check }: Block, fixture: string): string {
  const imports = code.match(IMPORT) ?? [];
  const body = code.replace(IMPORT, '').replace(/^export (?:default )?/gm, '');
  const own = `${imports.join('\n')}\n${body}`;
  const hidden = [fixture, 'observe'].map((module) => {
    const names = exportsOf(module).filter(
      (name) => new RegExp(`\\b${name}\\b`).test(body + check) && !declares(own, name),
    );
    return names.length > 0 ? `import { ${names.join(', ')} } from '../fixtures/${module}.js';` : '';
  });
  return [
    `// ${file}:${line}`,
    `import 'reflect-metadata';`,
    ...hidden,
    ...imports,
    'export async function example(): Promise<void> {',
    body,
    check,
    '}',
    '',
  ].join('\n');
}

function exportsOf(fixture: string): string[] {
  const source = readFileSync(join(root, `test/docs/fixtures/${fixture}.ts`), 'utf8');
  const handedOn = [...source.matchAll(/^export (?:type )?\{ ([\w, ]+) \};$/gm)].flatMap((match) =>
    match[1]!.split(', '),
  );
  const own = [...source.matchAll(EXPORTED)].map((match) => match[1]!);
  return [...own, ...handedOn].filter((name) => name !== 'start');
}

function declares(code: string, name: string): boolean {
  return (
    new RegExp(`^import [^;]*\\b${name}\\b[^;]* from`, 'm').test(code) ||
    new RegExp(`\\b(?:class|const|let|function|interface|type) ${name}\\b`).test(code)
  );
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The repository's root: jest runs there. */
export const root = process.cwd();

/** A fenced block of a document, with what its hidden comment says of it. */
export interface Block {
  /** Relative to the root. */
  readonly file: string;
  /** Of the block's first line of code. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** `<!-- example: shop` in front of the block: the module in `fixtures/` whose exports the block may use. */
  readonly fixture: string | undefined;
  /** What follows the fixture's name in that comment: code that runs after the block and expects something. */
  readonly check: string;
}

const BLOCK =
  /(?:<!-- example: (?<fixture>\S+)(?<check>[^]*?)-->\n+)?^```(?<language>\w*)\n(?<code>[^]*?)^```$/gm;

/** The documents whose blocks are run. `docs/dependencies.md` and the rest of `docs/` included. */
export function documents(): string[] {
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  return ['README.md', ...inDocs.map((name) => `docs/${name}`)].filter((file) =>
    existsSync(join(root, file)),
  );
}

export function readDocument(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

export function blocksOf(file: string): Block[] {
  const text = readDocument(file);
  return [...text.matchAll(BLOCK)].map((match) => {
    const { fixture, check = '', language = '', code = '' } = match.groups!;
    const start = match.index + match[0].indexOf('```');
    return { file, line: text.slice(0, start).split('\n').length + 1, language, code, fixture, check };
  });
}

export function allBlocks(...languages: string[]): Block[] {
  return documents()
    .flatMap(blocksOf)
    .filter(({ language }) => languages.includes(language));
}

/** The cells of every table row below the heading, without the header rows; backticks are taken off. */
export function tableBelow(file: string, heading: string): string[][] {
  const section = sectionOf(file, heading);
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** The text from a heading to the next one of its rank or above. */
export function sectionOf(file: string, heading: string): string {
  const text = readDocument(file);
  const start = text.search(new RegExp(`^#+ ${heading}$`, 'm'));
  if (start === -1) throw new Error(`${file} has no heading "${heading}"`);
  const rank = /^#+/.exec(text.slice(start))![0].length;
  const rest = text.slice(text.indexOf('\n', start) + 1);
  const end = rest.search(new RegExp(`^#{1,${rank}} `, 'm'));
  return end === -1 ? rest : rest.slice(0, end);
}

import { fileURLToPath } from 'node:url';
import { relative, sep } from 'node:path';
import type { Place } from '../place.js';
import { originalPlace } from './source-maps.js';

/** One line of a stack, in V8's format (https://v8.dev/docs/stack-trace-api): `    at async Shop.order (file.js:1:2)`. */
const FRAME =
  /^\s*at (?:(?<name>.+?) \()?(?<file>(?:file:\/\/|\/|[A-Za-z]:\\)[^)]*?):(?<line>\d+):(?<column>\d+)\)?$/;

/** Code that is nobody's own: Node's, packages', ours. */
const FOREIGN = /(?:^|[\\/])node_modules[\\/]|^node:/;

/**
 * The first place of a stack in the application's own code: of the frames that are neither Node's nor a package's nor
 * holdfast's. `undefined` where there is none.
 */
export function ownPlace(stack: string): Place | undefined {
  for (const line of stack.split('\n')) {
    const found = FRAME.exec(line)?.groups;
    if (!found) continue;
    const file = pathOf(found['file']!);
    if (FOREIGN.test(file) || isOurs(file)) continue;
    return place({ file, line: Number(found['line']), column: Number(found['column']) }, found['name']);
  }
  return undefined;
}

function place(
  generated: { readonly file: string; readonly line: number; readonly column: number },
  name: string | undefined,
): Place {
  const { file, line, column } = originalPlace(generated);
  return { function: functionName(name), file: shown(file), line, column };
}

/** `async Shop.order` -> `Shop.order`; `Object.<anonymous>` names nothing. */
function functionName(name: string | undefined): string | undefined {
  const plain = name?.replace(/^(?:async |new )+/, '').replace(/ \[as .*\]$/, '');
  return plain && !plain.includes('<anonymous>') ? plain : undefined;
}

function pathOf(file: string): string {
  return file.startsWith('file://') ? fileURLToPath(file) : file;
}

/** Below the working directory a path says more without it. */
function shown(file: string): string {
  const below = relative(process.cwd(), file);
  return below.startsWith('..') || below === '' ? file : below.split(sep).join('/');
}

/** The folder of this package's own code, `src` or `dist/cjs` or `dist/esm`: where this very file is, two folders up. */
let ours: string | undefined;

function isOurs(file: string): boolean {
  ours ??= ownFolder();
  return ours !== '' && file.startsWith(ours);
}

function ownFolder(): string {
  // Neither __filename nor import.meta.url compiles in both module formats; a stack knows.
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder);
  const file = FRAME.exec(holder.stack?.split('\n')[1] ?? '')?.groups?.['file'];
  if (!file) return '';
  return pathOf(file).replace(/pool-monitor[\\/]call-site[\\/][^\\/]*$/, '');
}

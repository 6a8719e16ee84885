import { relative, sep } from 'node:path';
import type { Place } from '../place.js';
import { framesOf, type StackFrame } from './frames.js';
import { originalPlace } from './source-maps.js';

const PACKAGES = /(?:^|[\\/])node_modules[\\/]/;

/**
 * The first place of a stack in the application's own code: of the frames that are neither Node's nor a package's nor
 * holdfast's. `undefined` where there is none.
 */
export function ownPlace(site: { readonly stack: string }): Place | undefined {
  const own = ownFrames(site);
  const [frame] = own;
  if (!frame) return undefined;
  // A callback has no name; the function around it, of the same file, has.
  const named = own.find((each) => each.function !== undefined && each.file === frame.file);
  return placeOf({ ...frame, function: named?.function });
}

/** Every place of a stack in the application's own code, innermost first: the line that asked, and what called it. */
export function ownPlaces(site: { readonly stack: string }): Place[] {
  return ownFrames(site).map(placeOf);
}

function ownFrames(site: { readonly stack: string }): StackFrame[] {
  return framesOf(site).filter(
    ({ file, ran = file }) => !PACKAGES.test(ran) && !PACKAGES.test(file) && !isOurs(file),
  );
}

function placeOf(frame: StackFrame): Place {
  const { file, line, column } = originalPlace(frame);
  return Object.freeze({ function: frame.function, file: shown(file), line, column });
}

/** Below the working directory a path says more without it. */
function shown(file: string): string {
  const below = relative(process.cwd(), file);
  return below.startsWith('..') || below === '' ? file : below.split(sep).join('/');
}

/** The folder of this package's code: `src`, `dist/cjs` or `dist/esm`. */
let ours: string | undefined;

function isOurs(file: string): boolean {
  ours ??= ownFolder();
  return ours !== '' && file.startsWith(ours);
}

function ownFolder(): string {
  // Neither __filename nor import.meta.url compiles in both module formats; a stack knows.
  const here = { stack: '' };
  Error.captureStackTrace(here);
  return framesOf(here)[0]?.file.replace(/pool-monitor[\\/]call-site[\\/][^\\/]*$/, '') ?? '';
}

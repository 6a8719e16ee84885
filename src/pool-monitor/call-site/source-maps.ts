import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One for each file that a report named; a service has as many call sites, not as many as it has files. */
const maps = new Map<string, SourceMap | undefined>();
const MOST_MAPS = 500;

/**
 * Where a place of compiled code stands in the source, by the map that the compiled file names. The place itself where
 * there is no map, and where Node has applied it already (`--enable-source-maps`).
 */
export function originalPlace(generated: Position): Position {
  const entry = mapOf(generated.file)?.findEntry(generated.line - 1, generated.column - 1);
  if (!entry || !('originalSource' in entry)) return generated;
  const file = sourcePath(entry.originalSource, generated.file);
  return { file, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
}

function mapOf(file: string): SourceMap | undefined {
  if (maps.has(file)) return maps.get(file);
  const map = readMap(file);
  if (maps.size < MOST_MAPS) maps.set(file, map);
  return map;
}

function readMap(file: string): SourceMap | undefined {
  try {
    const code = readFileSync(file, 'utf8');
    const url = /\/\/# sourceMappingURL=(\S+)\s*$/.exec(code)?.[1];
    if (!url) return undefined;
    const inline = /^data:application\/json[^,]*;base64,(.*)$/.exec(url)?.[1];
    const text = inline
      ? Buffer.from(inline, 'base64').toString('utf8')
      : readFileSync(resolve(dirname(file), decodeURIComponent(url)), 'utf8');
    return new SourceMap(JSON.parse(text) as SourceMapPayload);
  } catch {
    // A report with the compiled place is better than none.
    return undefined;
  }
}

function sourcePath(source: string, generated: string): string {
  const url = new URL(source, pathToFileURL(generated));
  return url.protocol === 'file:' ? fileURLToPath(url) : source;
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const made: string[] = [];

/** A directory with these files; folders come with them. It is removed after the file's tests: `afterAll(removeDirectories)`. */
export function directoryOf(files: Readonly<Record<string, string | Buffer>>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'holdfast-sources-'));
  made.push(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
  }
  return root;
}

export function removeDirectories(): void {
  for (const root of made.splice(0)) rmSync(root, { recursive: true, force: true });
}

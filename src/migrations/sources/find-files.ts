import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { InvalidOptionsError, messageOf } from '../../core/index.js';
import { type FileName, parseFileName, parseFolderName } from './file-name.js';
import type { IgnoredFile, SourceOptions } from './sources.js';

type Named<Kind> = Extract<FileName, { kind: Kind }>;

/** A file that is a migration or a callback by its name. */
export interface FoundFile {
  /** Absolute, as the file system spells it. */
  readonly path: string;
  /** The path below its directory, with `/`, in Unicode's composed form. */
  readonly script: string;
  readonly name: Named<'migration' | 'callback'>;
}

export interface FoundFiles {
  readonly files: readonly FoundFile[];
  readonly ignored: readonly IgnoredFile[];
  /** Everything that is wrong, a sentence each. */
  readonly problems: readonly string[];
}

/**
 * Looks through the directories at names alone; no file is opened. What goes wrong is a problem; but of a directory that
 * is none it throws `InvalidOptionsError`, for what names it is wrong. Not through the thread pool: what is small and
 * many waits longer for it than it takes.
 */
export function findFiles(options: SourceOptions): FoundFiles {
  const search = new Search(options.recursive);
  for (const directory of options.directories) search.begin(directory, options.cwd);
  return search.result();
}

/** Prisma's, and what Diesel and others call the two directions. */
const FOLDER_FILES: Readonly<Record<string, 'versioned' | 'undo'>> = {
  'migration.sql': 'versioned',
  'up.sql': 'versioned',
  'down.sql': 'undo',
};

interface Folder {
  readonly path: string;
  /** Without links: what tells whether it was seen. */
  readonly realPath: string;
  /** What its files are called after: '' or `a/b/`. */
  readonly prefix: string;
  /** What its name says, where it is a migration. */
  readonly migration?: ReturnType<typeof parseFolderName>;
}

class Search {
  readonly #recursive: boolean;
  readonly #seen = new Set<string>();
  readonly #files: FoundFile[] = [];
  readonly #ignored: IgnoredFile[] = [];
  readonly #problems: string[] = [];
  /** Folders that links lead to, which are looked into after the real ones; what they hold may add more. */
  readonly #linked: Folder[] = [];

  constructor(recursive: boolean) {
    this.#recursive = recursive;
  }

  begin(directory: string, cwd: string): void {
    const absolute = path.resolve(cwd, directory);
    let realPath: string;
    try {
      realPath = realpathSync.native(absolute);
      if (!statSync(realPath).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    } catch (error) {
      throw new InvalidOptionsError(explainDirectory(absolute, error), { cause: error });
    }
    this.#lookInside({ path: absolute, realPath, prefix: '' });
    // Which name a folder is found by does not depend on which is read first.
    for (let folder = this.#linked.shift(); folder !== undefined; folder = this.#linked.shift())
      this.#lookInside(folder);
  }

  result(): FoundFiles {
    const byScript = (a: { script: string }, b: { script: string }) => (a.script < b.script ? -1 : 1);
    return {
      files: this.#files.sort(byScript),
      ignored: this.#ignored.sort(byScript),
      problems: this.#problems.sort(),
    };
  }

  #look(folder: Folder): void {
    if (this.#seen.has(folder.realPath)) return;
    this.#seen.add(folder.realPath);
    const entries = readdirSync(folder.path, { withFileTypes: true });
    const before = this.#files.length;
    const folders: Folder[] = [];
    let hasLinks = false;
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const at = path.join(folder.path, entry.name);
      const kind = this.#kindOf(entry, at);
      if (kind === 'file') this.#addFile(folder, entry.name, at);
      if (kind !== 'directory' || isLeftAlone(entry.name)) continue;
      const migration = parseFolderName(entry.name);
      if (!this.#recursive && (migration === undefined || folder.migration !== undefined)) continue;
      const prefix = `${folder.prefix}${entry.name}/`;
      if (entry.isSymbolicLink()) {
        this.#linked.push({ path: at, realPath: realpathSync.native(at), prefix, migration });
        hasLinks = true;
      } else folders.push({ path: at, realPath: path.join(folder.realPath, entry.name), prefix, migration });
    }
    for (const each of folders) this.#lookInside(each);
    if (folder.migration !== undefined && this.#files.length === before && !hasLinks)
      this.#ignored.push({ script: folder.prefix, reason: 'the folder holds no migration.sql' });
  }

  #lookInside(folder: Folder): void {
    try {
      this.#look(folder);
    } catch (error) {
      this.#problems.push(explainDirectory(folder.path, error));
    }
  }

  #kindOf(entry: Dirent, at: string): 'file' | 'directory' | 'other' {
    if (!entry.isSymbolicLink()) return entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other';
    if (isLeftAlone(entry.name)) return 'other';
    try {
      const target = statSync(at);
      return target.isFile() ? 'file' : target.isDirectory() ? 'directory' : 'other';
    } catch (error) {
      this.#problems.push(`${at} is a link that leads nowhere: ${messageOf(error)}. Remove it.`);
      return 'other';
    }
  }

  #addFile(folder: Folder, fileName: string, file: string): void {
    const script = `${folder.prefix}${fileName}`.normalize('NFC');
    const inFolder = FOLDER_FILES[fileName];
    if (folder.migration !== undefined && inFolder !== undefined) {
      const name = { kind: 'migration', migration: inFolder, ...folder.migration, language: 'sql' } as const;
      this.#files.push({ path: file, script, name });
      return;
    }
    // Of a folder that is a migration nothing else is looked at, unless all folders are.
    if (folder.migration !== undefined && !this.#recursive) return;
    const name = parseFileName(fileName);
    if (name.kind === 'migration' || name.kind === 'callback') this.#files.push({ path: file, script, name });
    else if (name.kind === 'ignored') this.#ignored.push({ script, reason: name.reason });
    else if (name.kind === 'misnamed')
      this.#problems.push(`${file} is not run: ${reasonOfFolder(folder, fileName) ?? name.reason}`);
  }
}

/** `migration.sql` is Prisma's name: the version belongs to its folder. */
function reasonOfFolder({ path: folder, prefix }: Folder, fileName: string): string | undefined {
  if (fileName !== 'migration.sql' || prefix === '') return undefined;
  const name = path.basename(folder);
  return `the name of its folder has no version. Call the folder <version>_${name}, 0_${name} for example, to have it run once (and so its row, where Prisma has applied it: migration_name of _prisma_migrations), or _${name} to have it left alone.`;
}

const isLeftAlone = (folderName: string) => /^[._]/.test(folderName) || folderName === 'node_modules';

function explainDirectory(directory: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT')
    return `There is no directory ${directory}. Create it, or name the one that holds the migrations in \`directories\`.`;
  if (code === 'ENOTDIR')
    return `${directory} is no directory. Name the directory that holds the migrations in \`directories\`.`;
  if (code === 'EACCES' || code === 'EPERM')
    return `The directory ${directory} cannot be read: give this process the right to.`;
  return `The directory ${directory} cannot be read: ${messageOf(error)}.`;
}

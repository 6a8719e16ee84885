import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import type { ResolvedMigration } from '../../migrations/index.js';
import type { CliCommand, Task } from '../command.js';
import { type NewFiles, nextFiles } from '../naming.js';
import { UsageError } from '../usage-error.js';

interface CreateFlags {
  readonly repeatable?: true;
  readonly undo?: true;
  readonly ts?: true;
}

export const create: CliCommand = {
  name: 'create',
  summary: 'make the file of a new migration, named as those that are there',
  declare: (command) =>
    command
      .argument('<name...>', 'what it does: add orders')
      .option('--repeatable', 'one that runs again whenever its content changes')
      .option('--undo', 'with the script that takes it back')
      .option('--ts', 'in TypeScript'),
  async run(task) {
    const { repeatable, undo, ts } = task.flags as CreateFlags;
    if (repeatable && (undo || ts))
      throw new UsageError(
        'A repeatable migration is a SQL file that is never undone: leave --undo and --ts out.',
      );
    const existing = await migrationsOf(task);
    const files = nextFiles(existing, {
      name: task.args.join(' '),
      kind: repeatable ? 'repeatable' : ts ? 'code' : 'sql',
      hasUndo: undo === true,
      now: new Date(),
    });
    const paths = await write(folderFor(task, files, existing), files);
    const shown = paths.map((path) => relative(task.host.cwd, path) || path);
    return {
      exitCode: 0,
      result: { files: paths },
      print: (out) => shown.forEach((path) => out.line(path)),
    };
  },
};

async function migrationsOf({ settings, host }: Task): Promise<readonly ResolvedMigration[]> {
  const directories = directoriesOf(settings.options.directories).filter((folder) => existsSync(folder));
  if (directories.length === 0) return [];
  const { resolveMigrations } = await import('../../migrations/index.js');
  const { recursive = true } = settings.options;
  return (await resolveMigrations({ directories, recursive, cwd: host.cwd })).migrations;
}

/** Beside the highest version, which may be in a folder of its year; else the first directory. */
function folderFor(task: Task, files: NewFiles, existing: readonly ResolvedMigration[]): string {
  const sibling = existing.findLast(({ kind }) => kind === files.sibling);
  if (!sibling) return directoriesOf(task.settings.options.directories)[0]!;
  return resolve(dirname(sibling.body.path), files.isFolder ? '..' : '.');
}

function directoriesOf(directories: readonly string[] | undefined): readonly string[] {
  return directories ?? ['migrations'];
}

/** Throws {@link UsageError} for a file that is there already, or cannot be written. */
async function write(folder: string, { files }: NewFiles): Promise<string[]> {
  const paths = files.map(({ name }) => resolve(folder, name));
  const there = paths.find((path) => existsSync(path));
  if (there !== undefined) throw new UsageError(`${there} is there already. Choose another name.`);
  for (const [index, path] of paths.entries()) {
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, files[index]!.content, { flag: 'wx' });
    } catch (error) {
      throw notWritten(path, error as NodeJS.ErrnoException);
    }
  }
  return paths;
}

function notWritten(path: string, error: NodeJS.ErrnoException): unknown {
  const { code } = error;
  if (code === undefined) return error;
  const advice =
    code === 'ENAMETOOLONG'
      ? 'Say in fewer words what the migration does.'
      : 'Check the folder and who may write to it.';
  return new UsageError(`${path} cannot be written (${code}). ${advice}`, { cause: error });
}

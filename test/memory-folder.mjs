import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';

const shared = '/dev/shm';
/** Several times what the tests have at once: two installed applications, and the data of some servers. */
const neededBytes = 8 * 1024 ** 3;

/**
 * A folder for temporary files in memory, where there is plenty of it and programs may run from there. Each test file makes and
 * drops a database of 300 files, which keeps some file systems busy for a tenth of a second and more.
 */
export function memoryFolder() {
  if (!existsSync(shared)) return undefined;
  const { bavail, bsize } = statfsSync(shared);
  const hasRoom = Math.min(bavail * bsize, process.availableMemory()) >= neededBytes;
  return hasRoom && isWritable() && runsPrograms() ? shared : undefined;
}

function isWritable() {
  try {
    accessSync(shared, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function runsPrograms() {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const options = mounts.map((line) => line.split(' ')).findLast(([, place]) => place === shared)?.[3];
  return options !== undefined && !options.split(',').includes('noexec');
}

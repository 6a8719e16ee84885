import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/**
 * Reads a file in pieces that fill `buffer`, but for the last one. A piece is overwritten by the next: copy what is to
 * be kept. Not through the thread pool, which costs ten times what the reading of a small file does; between the pieces
 * of a large one the event loop goes on.
 */
export async function* readChunks(path: string, buffer: Buffer): AsyncGenerator<Buffer, void, undefined> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const length = fill(file, buffer);
      if (length > 0) yield buffer.subarray(0, length);
      if (length < buffer.length) return;
      await setImmediate();
    }
  } finally {
    closeSync(file);
  }
}

/** All bytes of a file that leaves some of `buffer` free, until something else is read into it; undefined for a larger one. */
export function readWhole(path: string, buffer: Buffer): Buffer | undefined {
  const file = openSync(path, 'r');
  try {
    const length = fill(file, buffer);
    return length < buffer.length ? buffer.subarray(0, length) : undefined;
  } finally {
    closeSync(file);
  }
}

/** As {@link readChunks}, with fewer promises. */
export async function forEachChunk(
  path: string,
  buffer: Buffer,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const length = fill(file, buffer);
      if (length > 0) take(buffer.subarray(0, length));
      if (length < buffer.length) return;
      await setImmediate();
    }
  } finally {
    closeSync(file);
  }
}

/** Returns how much was read. A network file system may answer with less than there is. */
function fill(file: number, buffer: Buffer): number {
  let length = 0;
  while (length < buffer.length) {
    const bytesRead = readSync(file, buffer, length, buffer.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

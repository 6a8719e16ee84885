import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

/**
 * Reads a file in pieces that fill `buffer`, but for the last one. A piece is overwritten by the next: copy what is to
 * be kept.
 */
export async function* readChunks(path: string, buffer: Buffer): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, 'r');
  try {
    for (;;) {
      let length = 0;
      // A network file system may answer with less than there is.
      while (length < buffer.length) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      if (length > 0) yield buffer.subarray(0, length);
      if (length < buffer.length) return;
    }
  } finally {
    await file.close();
  }
}

/**
 * As {@link readChunks}, without the way through the thread pool, which costs ten times what the reading of a small file
 * does. Between the pieces of a large one the event loop goes on.
 */
export async function forEachChunk(
  path: string,
  buffer: Buffer,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      let length = 0;
      while (length < buffer.length) {
        const bytesRead = readSync(file, buffer, length, buffer.length - length, null);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      if (length > 0) take(buffer.subarray(0, length));
      if (length < buffer.length) return;
      await setImmediate();
    }
  } finally {
    closeSync(file);
  }
}

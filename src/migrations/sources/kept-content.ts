import type { MigrationBody } from '../migration.js';

/** What was read of small files when they were found: what is run is what was planned, and it is not read twice. */
const CONTENTS = new WeakMap<MigrationBody, Buffer>();

/** Keeps the bytes of a file with a body of it, as long as that is there. */
export function keepContent<Body extends MigrationBody>(body: Body, bytes: Buffer | undefined): Body {
  if (bytes !== undefined) CONTENTS.set(body, bytes);
  return body;
}

/** The bytes of the file, where they were kept. */
export function contentOf(body: MigrationBody): Buffer | undefined {
  return CONTENTS.get(body);
}

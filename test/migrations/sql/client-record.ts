import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a client was seen to send of each script: a file in this folder. */
export function readRecord<Sent>(file: string): Readonly<Record<string, Sent>> {
  return JSON.parse(readFileSync(join(__dirname, file), 'utf8')) as Readonly<Record<string, Sent>>;
}

interface Comparison<Sent> {
  readonly file: string;
  readonly scripts: Readonly<Record<string, string>>;
  /** What the client of this machine sends of a script. */
  readonly sentOf: (script: string) => Promise<Sent>;
}

/** A test for each script: the client does as is written down. With HOLDFAST_RECORD=1 it is written down anew. */
export function compareWithRecord<Sent>({ file, scripts, sentOf }: Comparison<Sent>): void {
  const recorded = readRecord<Sent>(file);
  const isRecording = process.env['HOLDFAST_RECORD'] === '1';
  const seen: Record<string, Sent> = {};

  test.each(Object.entries(scripts))('%s', async (name, script) => {
    const sent = await sentOf(script);
    // Every script has a statement: nothing is what a client sends that was not let in.
    expect(sent).not.toHaveLength(0);
    if (!isRecording) expect(sent).toEqual(recorded[name]);
    seen[name] = sent;
  });

  afterAll(() => {
    if (!isRecording) return;
    // Where only some of the tests ran, the others' records stay.
    const known = { ...recorded, ...seen };
    const names = Object.keys(scripts).filter((name) => name in known);
    const path = join(__dirname, file);
    writeFileSync(
      path,
      JSON.stringify(Object.fromEntries(names.map((name) => [name, known[name]])), null, 2),
    );
    execFileSync(process.execPath, [require.resolve('prettier/bin/prettier.cjs'), '--write', path]);
  });
}

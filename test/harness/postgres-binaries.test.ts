import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reachableBinaries } from './postgres-binaries';

const home = mkdtempSync(join(tmpdir(), 'holdfast-home-'));
const bin = join(home, 'repository/native/bin');
const binaries = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
mkdirSync(bin, { recursive: true });
for (const path of Object.values(binaries)) writeFileSync(path, path, { mode: 0o755 });
afterAll(() => rmSync(home, { recursive: true }));

test('executables that every user can reach are run where they are', () => {
  chmodSync(home, 0o755);
  expect(reachableBinaries(binaries, join(home, 'server'))).toEqual(binaries);
});

test("those in a private folder, such as root's home, are copied to where the server is", () => {
  chmodSync(home, 0o700);
  const reachable = reachableBinaries(binaries, join(home, 'server'));
  expect(reachable).toEqual({
    initdb: join(home, 'server/native/bin/initdb'),
    postgres: join(home, 'server/native/bin/postgres'),
  });
  for (const name of ['initdb', 'postgres'] as const)
    expect(readFileSync(reachable[name], 'utf8')).toBe(binaries[name]);
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import 'reflect-metadata';

const root = join(process.cwd(), 'node_modules/holdfast');
const requireDoor = createRequire(join(process.cwd(), 'package.json'));
const { exports: doors } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
};

for (const door of Object.keys(doors).filter((name) => name !== './package.json')) {
  const specifier = `holdfast${door.slice(1)}`;

  void test(`${specifier} opens by import and by require, as two copies with the same exports`, async () => {
    const required = requireDoor(specifier) as Record<string, unknown>;
    const imported = (await import(specifier)) as Record<string, unknown>;

    const names = Object.keys(required).filter((name) => name !== '__esModule');
    assert.ok(names.length > 0);
    assert.deepEqual(Object.keys(imported).sort(), names.sort());
    assert.match(requireDoor.resolve(specifier), /[\\/]dist[\\/]cjs[\\/]/);
  });
}

void test('the package names its own version to a tool that asks', () => {
  const { version } = requireDoor('holdfast/package.json') as { version: string };
  assert.match(version, /^\d+\.\d+\.\d+/);
});

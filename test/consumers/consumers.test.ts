import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBetterSqlite3 } from '../harness/better-sqlite3.js';
import { Consumer, pack, testFiles } from './consumer.js';

const nodenext = { module: 'nodenext', moduleResolution: 'nodenext' };
const node16 = { module: 'node16', moduleResolution: 'node16' };
const bundler = { module: 'esnext', moduleResolution: 'bundler' };
const node10 = { module: 'commonjs', moduleResolution: 'node10' };

useBetterSqlite3();

let folder: string;
let tarball: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
  tarball = await pack(folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  {
    name: 'nest-11',
    title: 'a CommonJS application on Nest 11, TypeORM 0.3 and TypeScript 5.9',
    resolutions: { nodenext, node16, bundler, node10 },
  },
  {
    name: 'nest-12',
    title: 'an ESM application on Nest 12, TypeORM 1.1 and TypeScript 6.0',
    resolutions: { nodenext, bundler },
  },
])('$title', ({ name, resolutions }) => {
  let consumer: Consumer;

  beforeAll(async () => {
    consumer = new Consumer(name);
    await consumer.install(tarball);
  });

  afterAll(() => consumer.remove());

  test.each(Object.entries(resolutions))('finds the types of every door under %s', async (_, options) => {
    await consumer.checkTypes('doors.ts', options);
  });

  test.each(['doors.cts', 'doors.mts'])('finds the types of every door from %s', async (file) => {
    await consumer.checkTypes(file, nodenext);
  });

  test.each(['holdfast', 'migrate'])('runs npx %s', async (name) => {
    await consumer.runBin(name);
  });

  test('compiles', async () => {
    await consumer.compile();
  });

  test.each(testFiles())('passes %s', async (file) => {
    await consumer.runTest(file);
  });
});

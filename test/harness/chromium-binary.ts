import { existsSync } from 'node:fs';
import { join } from 'node:path';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { aptInstall, installPackages, mayInstall } from './apt';

const names = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
];
const folders = ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/homebrew/bin'];
const elsewhere = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
/** Debian's Chromium without a window, menus or languages: a fifth of the browser. */
const smallest = 'chromium-headless-shell';

const otherHint = 'Or set HOLDFAST_TEST_CHROMIUM to the executable of a Chromium or Chrome.';

/** Finds a Chromium, or installs one where this process is root on a system with apt. */
export function findChromium(): string {
  const found = lookForChromium() ?? installChromium();
  if (found !== undefined) return found;
  throw new Error(
    `No Chromium to test with: there is none of ${names.join(', ')} in PATH or ${folders.join(', ')}. Run: sudo ${aptInstall(smallest)}  ${otherHint}`,
  );
}

function lookForChromium(): string | undefined {
  const paths = [...(process.env['PATH'] ?? '').split(':'), ...folders];
  return [...names.flatMap((name) => paths.map((path) => join(path, name))), ...elsewhere].find(existsSync);
}

function installChromium(): string | undefined {
  if (!mayInstall()) return undefined;
  process.stderr.write(`No Chromium found; installing one for the tests: ${aptInstall(smallest)}\n`);
  try {
    installPackages(smallest);
  } catch (error) {
    throw new Error(
      `No Chromium to test with, and it could not be installed. Run: ${aptInstall(smallest)}  ${otherHint}`,
      { cause: error },
    );
  }
  return lookForChromium();
}

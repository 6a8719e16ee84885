import { existsSync } from 'node:fs';
// Without ".js": jest loads its global setup with Node's own require, which knows no name mapping.
import { executableOf, findOrInstall } from './apt';

const names = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
];
const folders = ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/homebrew/bin'];
const elsewhere = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** Finds a Chromium, or installs one where this process is root on a system with apt. */
export function findChromium(): string {
  return findOrInstall({
    name: 'Chromium',
    // Without a window, menus or languages: a fifth of the browser.
    packages: 'chromium-headless-shell',
    missing: `there is none of ${names.join(', ')} in PATH or ${folders.join(', ')}`,
    otherwise: 'Or set HOLDFAST_TEST_CHROMIUM to the executable of a Chromium or Chrome.',
    look: () => executableOf(names, folders) ?? elsewhere.find((path) => existsSync(path)),
  });
}

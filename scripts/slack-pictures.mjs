// npm run pictures: what arrives in Slack, as pictures for the documentation. Sends real alerts to the Slack of the tests
// and draws what that received with the Chromium or Chrome of this machine (or of CHROMIUM), which needs no package.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';

const root = fileURLToPath(new URL('..', import.meta.url));
const WIDTH = 720;
const CANDIDATES = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
];

const alias = {
  holdfast: join(root, 'src/index.ts'),
  'holdfast/testing': join(root, 'src/testing/index.ts'),
};
const jiti = createJiti(import.meta.url, { alias });
const { slackPictures } = await jiti.import('../test/pool-monitor/alerts/pictures.ts');

const folder = mkdtempSync(join(tmpdir(), 'holdfast-pictures-'));
try {
  for (const [name, html] of Object.entries(await slackPictures())) draw(name, html);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Once to see how high the page is, once to draw it. */
function draw(name, html) {
  const page = join(folder, `${name}.html`);
  const measure =
    '<script>document.title = Math.ceil(document.documentElement.getBoundingClientRect().height)</script>';
  writeFileSync(page, html + measure);
  const dom = browse(['--dump-dom', `--window-size=${WIDTH},100`, page]);
  const height = Number(/<title>(\d+)<\/title>/.exec(dom)?.[1]);
  const picture = join(root, 'docs/images', `${name}.png`);
  browse([`--screenshot=${picture}`, `--window-size=${WIDTH},${height}`, page]);
  console.log(`${picture}: ${readFileSync(picture).length} bytes`);
}

function browse([first, second, ...rest]) {
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--hide-scrollbars',
    // Grey edges: colours twice the size of the file.
    '--disable-lcd-text',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    `--user-data-dir=${join(folder, 'profile')}`,
  ];
  const browsers = process.env.CHROMIUM ? [process.env.CHROMIUM] : CANDIDATES;
  for (const browser of browsers) {
    const { error, status, stdout } = spawnSync(browser, [...flags, first, second, ...rest], {
      encoding: 'utf8',
    });
    if (error?.code === 'ENOENT') continue;
    if (status === 0) return stdout;
    throw new Error(`${browser} ended with ${status}`);
  }
  throw new Error(`None of ${browsers.join(', ')} is installed. On Debian: apt-get install chromium`);
}

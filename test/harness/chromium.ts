import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';

/** It looks for updates, and for Google's hosts, at every start unless it is told not to. */
const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A Chromium for the tests of this file, in a profile of its own. It is closed after the last one. */
export function useChromium(): { readonly context: BrowserContext } {
  let context: BrowserContext | undefined;
  let profile = '';
  beforeAll(async () => {
    const problem = process.env['HOLDFAST_TEST_CHROMIUM_PROBLEM'];
    const executablePath = process.env['HOLDFAST_TEST_CHROMIUM'];
    if (problem !== undefined || executablePath === undefined) throw new Error(problem ?? 'No Chromium.');
    profile = mkdtempSync(join(tmpdir(), 'holdfast-chromium-'));
    context = await chromium.launchPersistentContext(profile, {
      executablePath,
      args: flags,
      headless: true,
      // Chromium refuses its sandbox to root.
      chromiumSandbox: process.getuid?.() !== 0,
      viewport: { width: 1120, height: 1000 },
      locale: 'en-GB',
      colorScheme: 'light',
    });
  }, 60_000);
  afterAll(async () => {
    await context?.close();
    if (profile !== '') rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    get context(): BrowserContext {
      if (context === undefined) throw new Error('Chromium runs from beforeAll on.');
      return context;
    },
  };
}

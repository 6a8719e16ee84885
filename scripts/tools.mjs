import { spawn } from 'node:child_process';

export const root = new URL('../', import.meta.url);

// By path, because `typescript` and the alias `typescript7` both bring a binary that is named tsc.
export const tsc6 = 'node_modules/typescript/bin/tsc';
export const tsc7 = 'node_modules/typescript7/bin/tsc';

/** Runs Node scripts side by side; the process fails when one of them does, after all have ended. */
export async function runTogether(commands) {
  const codes = await Promise.all(commands.map(run));
  if (codes.some((code) => code !== 0)) process.exitCode = 1;
}

function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('close', resolve);
  });
}

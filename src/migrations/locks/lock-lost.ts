import { LockLostError } from '../errors.js';

export function lockLost(label: string, why: string, cause?: unknown): LockLostError {
  return new LockLostError(
    `Lost ${label}: ${why}. Another deployer may be at work. Look at \`migrate status\` before you run again.`,
    { cause },
  );
}

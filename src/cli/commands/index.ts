import type { CliCommand } from '../command.js';
import { adopt } from './adopt.js';
import { baseline } from './baseline.js';
import { create } from './create.js';
import { doctor } from './doctor.js';
import { pool } from './pool.js';
import { repair } from './repair.js';
import { status } from './status.js';
import { undo } from './undo.js';
import { unlock } from './unlock.js';
import { up } from './up.js';
import { validate } from './validate.js';

/** In the order of `--help`. */
export const COMMANDS: readonly CliCommand[] = [
  up,
  status,
  undo,
  validate,
  repair,
  baseline,
  create,
  adopt,
  unlock,
  doctor,
  pool,
];

import type { MigrationEvent } from '../../migrations/index.js';
import type { Outcome } from '../command.js';
import type { ExitCode } from '../exit-codes.js';

/** Who tells what happens: to a person, or as JSON. */
export interface Reporter {
  event(event: MigrationEvent): void;
  outcome(outcome: Outcome): void;
  failure(error: unknown, exitCode: ExitCode): void;
}

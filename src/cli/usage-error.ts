import { HoldfastError } from '../core/index.js';

/** Thrown when the command line, the environment or the configuration file asks for what there is not. Nothing was done. */
export class UsageError extends HoldfastError {
  static readonly code = 'USAGE';
  readonly code = UsageError.code;
}

import { HoldfastError } from '../core/index.js';

/** Under `expectNoLeaks()`: a test ended, and connections that it took are not given back. Its stack is where the first was taken. */
export class LeakedConnectionError extends HoldfastError {
  static readonly code = 'LEAKED_CONNECTION';
  readonly code = LeakedConnectionError.code;
}

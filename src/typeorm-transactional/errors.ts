import { PropagationError } from '../transaction/index.js';

/**
 * MANDATORY was called outside a transaction, NEVER inside one, or a hook was registered outside any transactional
 * call: holdfast's `PropagationError`, under the name that it has in typeorm-transactional.
 */
export class TransactionalError extends PropagationError {
  // Its own, so that it is recognised across the ESM and the CJS copy of this package.
  static override readonly code = PropagationError.code;

  constructor(message = '', details: { readonly cause?: unknown } = {}) {
    super(message, details);
  }
}

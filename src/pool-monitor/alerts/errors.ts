import { HoldfastError, type HoldfastErrorDetails } from '../../core/index.js';

/** What is known of a failed try, beside its message. */
export interface SinkErrorDetails extends HoldfastErrorDetails {
  /** How long the other side asked to be left alone, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * An alert could not be delivered. `retryable` says whether another try makes sense. Nobody but the log ever sees it:
 * delivery never throws into the application. A sink of your own throws it to say the same.
 */
export class SinkError extends HoldfastError {
  static readonly code = 'ALERT_SINK';
  readonly code = SinkError.code;
  /** How long the other side asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: SinkErrorDetails = {}) {
    super(message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}

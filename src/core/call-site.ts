/** Frames that are kept: each costs at the time of the call. */
const FEW_FRAMES = 4;

/** The place from which one of our functions was called. It is put into words only when somebody asks. */
export class CallSite {
  declare readonly stack: string;

  /**
   * `entry` is our function on the stack: it and what it calls is left out. `frames` is for a caller that may be deep below an
   * ORM: the application's own `stackTraceLimit` does not lower it then.
   */
  constructor(entry: Function | undefined, frames?: number) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = frames ?? Math.min(FEW_FRAMES, stackTraceLimit);
    Error.captureStackTrace(this, entry ?? CallSite);
    Error.stackTraceLimit = stackTraceLimit;
  }

  /** An error that was never thrown: its stack is this place. */
  toError(message: string): Error {
    const error = new Error(message);
    const frames = this.stack.slice(this.stack.indexOf('\n') + 1);
    error.stack = `Error: ${message}\n${frames}`;
    return error;
  }
}

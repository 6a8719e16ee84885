import { messageOf } from '../../core/index.js';
import type { CallbackMoment, ResolvedCallback } from '../events.js';
import { applyCode } from './apply-code.js';
import { applyScript } from './apply-script.js';
import { HiddenValues } from './hide-values.js';
import type { RunContext } from './run-context.js';
import { Script } from './script.js';
import { type SessionSettings, settingsFor } from './session-settings.js';
import { RunSignals } from './signals.js';

/** `SET ROLE` in a beforeEachMigrate is meant for the migration, which ends it. */
const keepsSettings: SessionSettings = {
  apply: () => Promise.resolve([]),
  restore: () => Promise.resolve(),
};

export interface CallbackParts {
  readonly context: RunContext;
  readonly signals: RunSignals;
  readonly callbacks: readonly ResolvedCallback[];
}

/** A callback that failed: it has no row of its own, so the run says which it was. */
export class CallbackFailure extends Error {
  readonly script: string;
  readonly moment: CallbackMoment;

  constructor({ script, moment }: ResolvedCallback, cause: unknown) {
    super(messageOf(cause), { cause });
    this.script = script;
    this.moment = moment;
  }
}

/** Runs the callback files of a moment, each in a transaction of its own where one can hold it. */
export class Callbacks {
  readonly #parts: CallbackParts;

  constructor(parts: CallbackParts) {
    this.#parts = parts;
  }

  /** Whether there are any for that moment. */
  has(moment: CallbackMoment): boolean {
    return this.#parts.callbacks.some((callback) => callback.moment === moment);
  }

  /** Throws {@link CallbackFailure}. */
  async run(moment: CallbackMoment): Promise<void> {
    for (const callback of this.#parts.callbacks) {
      if (callback.moment !== moment) continue;
      try {
        await this.#run(callback, this.#parts.signals);
      } catch (error) {
        throw new CallbackFailure(callback, error);
      }
    }
  }

  /** For the moments after a failure, which must not hide it: another failure becomes a note. */
  async runAfterError(moment: CallbackMoment): Promise<void> {
    const { context, callbacks } = this.#parts;
    for (const callback of callbacks) {
      if (callback.moment !== moment || context.session.lost) continue;
      const { script } = callback;
      try {
        // Also where the failure is that the run was asked to stop.
        await this.#run(callback, new RunSignals({}));
      } catch (error) {
        const hidden = new HiddenValues(context.options.placeholders);
        context.emit({
          kind: 'note',
          script,
          message: `The callback failed: ${hidden.in(messageOf(error))}`,
        });
      }
    }
  }

  async #run({ script, body, moment }: ResolvedCallback, signals: RunSignals): Promise<void> {
    const { context } = this.#parts;
    const finish = (): Promise<void> => Promise.resolve();
    if (body.kind === 'code') {
      context.emit({ kind: 'progress', script, statements: 0, bytes: 0, totalBytes: 0 });
      await applyCode({ context, script, body, signals, finish });
      return;
    }
    const source = await Script.open({ context, script, body });
    await applyScript({
      ...context,
      script: source,
      profile: source.profile,
      settings: moment.startsWith('beforeEach')
        ? keepsSettings
        : settingsFor(context.session, context.options.schema),
      signals,
      journal: undefined,
      announce: () => Promise.resolve(),
      announceStarted: () => Promise.resolve(),
      endFormer: () => Promise.resolve(true),
      assertHeld: () => Promise.resolve(),
      finish,
      canFinishBehind: false,
      isFinished: () => Promise.resolve(undefined),
    });
  }
}

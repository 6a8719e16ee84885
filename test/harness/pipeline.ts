import type { ArmedFault } from './faults.js';
import type { SeenStatement } from './seen-statement.js';
import { BodyReader, sqlstateOf } from './wire-messages.js';
import type { ErrorFields, WireMessage } from './wire-messages.js';

export type StepKind = 'query' | 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'call';

/** A message on its way to the server, until its answer has come back. */
export interface Step {
  readonly kind: StepKind;
  readonly statement?: SeenStatement | undefined;
  /** What a Parse or Bind prepares to execute. */
  readonly text?: string;
  /** Sent by the proxy itself: the client must not see the answer. */
  readonly hidden?: boolean;
  /** What the client sees in place of the error that the server answers. */
  readonly replaceError?: ErrorFields;
  /** The client never sees the answer; the connection is cut when it is complete. */
  readonly cutAfter?: ArmedFault;
}

export interface Answer {
  /** What the message answers; undefined for messages that answer nothing (notices, parameters). */
  readonly step: Step | undefined;
  /** It is the last message of the answer to that step. */
  readonly completes: boolean;
}

const completing: Readonly<Record<string, StepKind>> = { '1': 'parse', '2': 'bind', '3': 'close' };
const unsolicited = new Set(['A', 'S']);

/**
 * Tells which answer of the server belongs to which message of the client. After an error the server skips
 * everything up to the next Sync, and so does this list.
 */
export class Pipeline {
  private steps: Step[] = [];
  private skipping = false;
  /** The statement whose Parse or Bind failed: its Execute is skipped, but it is what failed. */
  private refused: { readonly text: string; readonly sqlstate: string } | undefined;

  /** The server has answered everything, as far as it said. */
  get isIdle(): boolean {
    return this.steps.length === 0;
  }

  get isSkipping(): boolean {
    return this.skipping;
  }

  sent(step: Step): void {
    if (step.kind === 'sync') this.skipping = false;
    if (this.skipping) this.markSkipped(step);
    else this.steps.push(step);
  }

  answered(message: WireMessage): Answer {
    const step = this.steps[0];
    if (step === undefined || unsolicited.has(message.type)) return { step: undefined, completes: false };
    note(step, message);
    const completes = this.completes(step, message);
    if (completes) this.steps.shift();
    if (message.type === 'E' && isExtended(step)) this.skipToSync(step, message);
    return { step, completes };
  }

  private completes(step: Step, { type }: WireMessage): boolean {
    if (type === 'Z') return true;
    if (type === 'E') return isExtended(step);
    if (step.kind === 'describe') return type === 'T' || type === 'n';
    if (step.kind === 'execute') return type === 'C' || type === 'I' || type === 's';
    return completing[type] === step.kind;
  }

  private skipToSync({ text }: Step, { body }: WireMessage): void {
    this.refused = text === undefined ? undefined : { text, sqlstate: sqlstateOf(body) };
    const sync = this.steps.findIndex((step) => step.kind === 'sync');
    const skipped = sync === -1 ? this.steps : this.steps.slice(0, sync);
    for (const step of skipped) this.markSkipped(step);
    this.steps = sync === -1 ? [] : this.steps.slice(sync);
    this.skipping = sync === -1;
  }

  private markSkipped({ kind, statement }: Step): void {
    if (kind !== 'execute' || statement === undefined) return;
    statement.outcome = 'skipped';
    if (this.refused?.text !== statement.text) return;
    statement.outcome = 'failed';
    statement.sqlstate = this.refused.sqlstate;
    this.refused = undefined;
  }
}

/** Errors of these end the step; those of a simple query and of Sync are followed by ReadyForQuery. */
function isExtended({ kind }: Step): boolean {
  return kind !== 'query' && kind !== 'call' && kind !== 'sync';
}

function note({ kind, statement, hidden }: Step, { type, body }: WireMessage): void {
  if (statement === undefined || hidden) return;
  if (type === 'C' && (kind === 'execute' || kind === 'query')) {
    if (statement.outcome === 'sent') statement.outcome = 'completed';
    statement.tag = new BodyReader(body).text();
  }
  if (type === 'E') {
    statement.outcome = 'failed';
    statement.sqlstate ??= sqlstateOf(body);
  }
}

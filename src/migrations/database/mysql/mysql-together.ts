import type { Statement } from '../../sql/statement.js';
import { FAILS } from './failing.js';
import { type DeferredStatement, PACKET_BEGAN } from '../session.js';
import { outcomeOf, type PacketOutcome, readWarnings, SEPARATOR, withWarnings } from './mysql-packet.js';
import type { WireAnswer } from './mysql-wire.js';

const OUR_SET = 'SET @holdfast_';
const STOP_IF_WARNED = `SET @holdfast_warned = IF(@@warning_count = 0, 0, ${FAILS})`;

export interface TogetherOptions {
  readonly number: number;
  /** That of the packet without whose end nothing of this one is run. */
  readonly after: number | undefined;
}

/** What a text of the packet is: the one in front of all, those of a part, and the one behind all. */
type Role = 'guard' | 'statement' | 'warnings' | 'stop' | 'mark';

interface Expected {
  readonly role: Role;
  /** Of the roles between the first and the last. */
  readonly part: TogetherPart | undefined;
}

/** A deferred statement, and how it is sent. */
export interface TogetherPart {
  readonly deferred: DeferredStatement;
  readonly text: string;
}

/**
 * Statements of ours and of a migration in one packet. The server stops at the first that fails, and between the statements
 * it is made to fail: in front, unless the packet before came to its end, which a variable of the session says; and behind a
 * statement of the migration that has warned. Its warnings are asked for first, for that failure takes the place of them.
 */
export class MysqlTogether {
  /** Of each result that is to come. */
  readonly #expected: Expected[] = [];
  readonly sql: string;

  constructor(parts: readonly TogetherPart[], { number, after }: TogetherOptions) {
    const texts: string[] = [];
    const send = (text: string, role: Role, part?: TogetherPart): void => {
      const last = texts.length - 1;
      // Each statement has an answer. One that fails for the second of what it sets is told of the first, and looked at again.
      if (role !== 'mark' && text.startsWith(OUR_SET) && texts[last]?.startsWith(OUR_SET)) {
        texts[last] += `, ${text.slice('SET '.length)}`;
        return;
      }
      texts.push(text);
      this.#expected.push({ part, role });
    };
    const guard =
      after === undefined ? '' : `, @holdfast_ahead = IF(@holdfast_packet = ${after}, 0, ${FAILS})`;
    send(`SET ${PACKET_BEGAN} = UTC_TIMESTAMP(6)${guard}`, 'guard');
    for (const part of parts) {
      send(part.text, 'statement', part);
      if (part.deferred.statement === undefined) continue;
      send('SHOW WARNINGS', 'warnings', part);
      send(STOP_IF_WARNED, 'stop', part);
    }
    send(`SET @holdfast_packet = ${number}`, 'mark');
    this.sql = texts.join(SEPARATOR);
  }

  keepsRows(place: number): boolean {
    return this.#expected[place]?.role === 'warnings';
  }

  /** Where it stopped, when it was answered with an error. */
  stoppedAt({ results, open }: WireAnswer): Expected {
    // SHOW WARNINGS does not fail once its rows come: the error followed them.
    const isBehind = open !== undefined && this.keepsRows(results.length);
    return this.#expected[results.length + (isBehind ? 1 : 0)] ?? this.#miscounted(results.length);
  }

  /** Throws where it was answered otherwise than once for each statement: then nobody knows which answer is whose. */
  requireAll({ results }: WireAnswer): void {
    if (results.length !== this.#expected.length) this.#miscounted(results.length);
  }

  #miscounted(answers: number): never {
    throw new Error(`The server gave ${answers} answers to ${this.#expected.length} statements.`);
  }

  /** What was answered of the statements of the migration. */
  outcomes({ results, open }: WireAnswer): Map<Statement, PacketOutcome> {
    const outcomes = new Map<Statement, PacketOutcome>();
    for (const [place, { part, role }] of this.#expected.entries()) {
      const result = results[place] ?? (place === results.length ? open : undefined);
      const statement = part?.deferred.statement;
      if (result === undefined || statement === undefined) continue;
      if (role === 'statement') outcomes.set(statement, outcomeOf(result));
      if (role === 'warnings')
        outcomes.set(statement, withWarnings(outcomes.get(statement)!, readWarnings(result)));
    }
    return outcomes;
  }
}

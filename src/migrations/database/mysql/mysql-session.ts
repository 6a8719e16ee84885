import { messageOf } from '../../../core/index.js';
import { StatementFailedError } from '../../errors.js';
import type { SqlStatement, Statement } from '../../sql/statement.js';
import { takeChunk } from '../chunks.js';
import { databaseCodeOf, explainDatabaseError } from '../explain-error.js';
import {
  type DeferredStatement,
  explainDeferred,
  type InFlight,
  type MigrationSession,
  NotRunError,
  type ServerFacts,
  type ServerWarning,
  type StatementOutcome,
  type Together,
  type TogetherAnswer,
} from '../session.js';
import { offsetOfError, withoutFollowing } from './mysql-error-place.js';
import { isStrictMode, type MysqlFacts, readMysqlFacts, withoutIgnoreSpace } from './mysql-facts.js';
import {
  type AskedForWarnings,
  MysqlPacket,
  type PacketOutcome,
  rarelyWarns,
  readWarnings,
  SEPARATOR,
  travelsAlone,
  UNDO_PACKET,
} from './mysql-packet.js';
import { MysqlTogether } from './mysql-together.js';
import { withValues } from './mysql-values.js';
import { IN_TRANSACTION, type MysqlWire, type WireAnswer } from './mysql-wire.js';

const CHUNK = { statements: 500, length: 512 * 1024 };
/** It begins no transaction and ends none, whatever comes of it. */
const ONLY_SHOWS = /^SHOW\b[^;]*$/;
/** For the header of the packet and the separators. */
const PACKET_MARGIN = 1024;
/** Of ours, around a statement that is sent together with others. */
const AROUND_EACH = 8 * 1024;
/** By itself a server keeps 64 warnings of a statement, or 1024: too few to tell whether one of them is not allowed. */
const KEPT_WARNINGS = 1024;
/** ER_SPECIFIC_ACCESS_DENIED_ERROR */
const ACCESS_DENIED = '1227';
/**
 * With another delimiter a statement may be several, whose answers nobody could count. What stands between the statements
 * changes what the server says of the one before; and a mode that makes warnings of errors is no word of a small file.
 */
const NOT_TOGETHER = /;|\b(?:ROW_COUNT|FOUND_ROWS|warning_count|error_count|sql_mode)\b/i;
/** The number of warnings in an answer has 16 bits. */
const MOST_COUNTED = 65_535;

interface Deferred {
  readonly deferred: readonly DeferredStatement[];
  readonly texts: readonly string[];
}

/** A connection of `mysql2` or of the mariadb connector that is held for the run. */
export class MysqlSession implements MigrationSession {
  readonly dialect = 'mysql';
  readonly #wire: MysqlWire;
  readonly #kill: (backendId: number) => Promise<void>;
  #facts: MysqlFacts | undefined;
  /** Whether what a column cannot hold is an error. */
  #isStrict = false;
  #ended: Promise<void> | undefined;
  #inTransaction = false;
  #deferred: readonly DeferredStatement[] = [];
  /** How many packets were sent together. */
  #together = 0;

  private constructor(wire: MysqlWire, kill: (backendId: number) => Promise<void>) {
    this.#wire = wire;
    this.#kill = kill;
  }

  /**
   * Takes over a connection and asks the server what it is; `kill` ends, over another one, what a session runs. Rejects
   * with the driver's error.
   */
  static async open(wire: MysqlWire, kill: (backendId: number) => Promise<void>): Promise<MysqlSession> {
    const session = new MysqlSession(wire, kill);
    try {
      await session.#introduce();
    } catch (error) {
      await session.end();
      throw error;
    }
    return session;
  }

  get server(): ServerFacts {
    return this.#facts!.server;
  }

  get driver(): string {
    return this.#wire.driver;
  }

  get native(): object {
    return this.#wire.native;
  }

  get backendId(): number {
    return this.#facts!.backendId;
  }

  get lost(): Error | undefined {
    return this.#wire.lost ?? (this.#ended ? new Error('The session was ended.') : undefined);
  }

  get inTransaction(): boolean {
    return !this.lost && (this.#inTransaction || this.#deferred.some(({ begins }) => begins));
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { deferred, texts } = await this.#takeDeferred();
    const sql = [...texts, withValues(text, values, this.#wire.status)].join(SEPARATOR);
    const { results, error } = await this.#send(sql, (place) => place >= texts.length);
    if (error) throw explainDeferred(deferred.slice(results.length, results.length + 1), error);
    const { columns, rows } = results[texts.length] ?? {};
    if (!columns || !rows) return [];
    return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])) as Row);
  }

  defer(statement: DeferredStatement): void {
    this.#deferred = [...this.#deferred, statement];
  }

  placeholder(): string {
    return '?';
  }

  quote(name: string): string {
    return `\`${name.replaceAll('`', '``')}\``;
  }

  async run(statements: readonly Statement[]): Promise<readonly StatementOutcome[]> {
    const outcomes: StatementOutcome[] = [];
    while (outcomes.length < statements.length) {
      const chunk = this.#nextChunk(statements, outcomes.length);
      outcomes.push(...(await this.#sendChunk(chunk, outcomes.length)));
      // From now on a value that does not fit may be a warning; who sets the mode back to strict pays with some speed.
      if (chunk.some(({ text }) => /sql_mode/i.test(text))) this.#isStrict = false;
    }
    return outcomes;
  }

  takesTogether({ alone, inTransaction }: Together): boolean {
    const all = [...alone, ...inTransaction];
    const bytes = all.reduce((sum, { text }) => sum + Buffer.byteLength(text) + AROUND_EACH, PACKET_MARGIN);
    return (
      this.#wire.takesSeveral &&
      this.#isStrict &&
      bytes <= this.#facts!.maxPacketBytes &&
      inTransaction.every(({ text }) => rarelyWarns(text)) &&
      !all.some((statement) => travelsAlone(statement) || NOT_TOGETHER.test(statement.text))
    );
  }

  async sendTogether({
    isAhead,
    onSent,
  }: Parameters<NonNullable<MigrationSession['sendTogether']>>[0]): Promise<TogetherAnswer> {
    const parts = this.#deferred.map((deferred) => ({
      deferred,
      text: this.#textOf(deferred),
    }));
    this.#deferred = [];
    const after = isAhead ? this.#together : undefined;
    const packet = new MysqlTogether(parts, { number: ++this.#together, after });
    const inFlight: InFlight & { isAnswered: boolean } = { isAnswered: false };
    const sending = this.#send(packet.sql, (place) => packet.keepsRows(place));
    onSent?.(inFlight);
    const answer = await sending;
    inFlight.isAnswered = true;
    const outcomes = new Map(
      [...packet.outcomes(answer)].map(([of, outcome]) => [of, completeOutcome(outcome)]),
    );
    if (answer.error === undefined) {
      packet.requireAll(answer);
      return { outcomes };
    }
    const { part, role } = packet.stoppedAt(answer);
    if (!this.lost && role === 'mark') return { outcomes };
    if (!this.lost && role === 'guard' && isAhead) throw new NotRunError();
    const statement = part?.deferred.statement;
    if (role === 'stop') return { outcomes, stop: { statement, error: undefined } };
    const error = statement
      ? this.#failed(answer.error, 0, { chunk: [statement], before: 0 })
      : explainDeferred(part ? [part.deferred] : [], answer.error);
    return { outcomes, stop: { statement, error } };
  }

  async cancel(): Promise<void> {
    if (!this.lost) await this.#kill(this.backendId).catch(() => undefined);
  }

  end(): Promise<void> {
    this.#ended ??= this.#wire.close();
    return this.#ended;
  }

  async #introduce(): Promise<void> {
    this.#facts = await readMysqlFacts((text) => this.query(text));
    this.#isStrict = isStrictMode(this.#facts.sqlMode);
    const mode = withoutIgnoreSpace(this.#facts);
    // MySQL keeps as many by itself, and lets none but an administrator set it.
    if (this.#facts.maxErrorCount < KEPT_WARNINGS)
      await this.query(`SET SESSION max_error_count = ${KEPT_WARNINGS}`).catch(this.#unlessRefused);
    if (mode !== undefined) await this.query('SET SESSION sql_mode = ?', [mode]);
  }

  readonly #unlessRefused = (error: unknown): void => {
    if (this.lost || databaseCodeOf(error) !== ACCESS_DENIED) throw error;
  };

  async #send(sql: string, keepsRows: (place: number) => boolean): Promise<WireAnswer> {
    if (this.lost) return { results: [], error: this.lost };
    const answer = await this.#wire.send(sql, keepsRows);
    // An error does not say whether it has ended the transaction, as a deadlock does; the next answer says.
    const isAsked = this.#inTransaction || !ONLY_SHOWS.test(sql);
    if (answer.error && isAsked && !this.#wire.lost) await this.#wire.send('DO 0', () => false);
    this.#inTransaction = (this.#wire.status & IN_TRANSACTION) !== 0;
    return answer;
  }

  #textOf({ text, values = [], statement }: DeferredStatement): string {
    return statement ? text : withValues(text, values, this.#wire.status);
  }

  /** What is to travel in front of what is sent now. */
  async #takeDeferred(): Promise<Deferred> {
    const deferred = this.#deferred;
    const texts = deferred.map((each) => this.#textOf(each));
    this.#deferred = [];
    if (this.#wire.takesSeveral) return { deferred, texts };
    for (const [index, text] of texts.entries()) {
      const { error } = await this.#send(text, () => false);
      if (error) throw explainDeferred([deferred[index]!], error);
    }
    return { deferred: [], texts: [] };
  }

  #nextChunk(statements: readonly Statement[], first: number): readonly SqlStatement[] {
    const next = statements[first]!;
    const { maxPacketBytes } = this.#facts!;
    const bytes = Buffer.byteLength(next.text);
    if (bytes + PACKET_MARGIN > maxPacketBytes) {
      throw new StatementFailedError(
        `The statement has ${bytes} bytes and the server takes ${maxPacketBytes}. Split it, or raise max_allowed_packet of the server (SET GLOBAL max_allowed_packet = …).`,
        { at: first },
      );
    }
    if (next.kind === 'copy')
      throw new StatementFailedError('COPY … FROM stdin is a statement of PostgreSQL.', { at: first });
    if (!this.inTransaction || !this.#wire.takesSeveral || travelsAlone(next)) return [next];
    // In UTF-8 a code unit is at most three bytes.
    const length = Math.min(CHUNK.length, Math.floor((maxPacketBytes - PACKET_MARGIN) / 4));
    const chunk = takeChunk(statements, first, { ...CHUNK, length }).statements;
    const end = chunk.findIndex((statement) => travelsAlone(statement) || /sql_mode/i.test(statement.text));
    return end > 0 ? chunk.slice(0, end) : end === 0 ? [next] : chunk;
  }

  async #sendChunk(chunk: readonly SqlStatement[], before: number): Promise<StatementOutcome[]> {
    const send = async (asked: AskedForWarnings) => {
      const { deferred, texts } = await this.#takeDeferred();
      const packet = new MysqlPacket(chunk, asked, texts);
      const answer = await this.#send(packet.sql, (place) => packet.keepsRows(place));
      if (answer.error) {
        const failed = deferred.slice(answer.results.length, answer.results.length + 1);
        if (failed.length > 0 && !this.#wire.lost) throw explainDeferred(failed, answer.error);
        throw this.#failed(answer.error, packet.failedAt(answer), { chunk, before });
      }
      const outcomes = packet.outcomes(answer);
      return { outcomes, isIncomplete: packet.forgets(outcomes) };
    };
    let { outcomes, isIncomplete } = await send(this.#isStrict ? 'those that often warn' : 'all');
    if (isIncomplete && (await this.#undoPacket())) ({ outcomes, isIncomplete } = await send('all'));
    return this.#withLastWarnings(outcomes);
  }

  /** Whether all of the packet is undone: what was written to a table without transactions stays, and must not come twice. */
  async #undoPacket(): Promise<boolean> {
    const { results, error } = await this.#send(UNDO_PACKET, () => false);
    return error === undefined && (results[0]?.warningCount ?? 0) === 0;
  }

  /** The server still has the warnings of the statement that it ran last. */
  async #withLastWarnings(outcomes: readonly PacketOutcome[]): Promise<StatementOutcome[]> {
    const complete = outcomes.map((outcome) => completeOutcome(outcome));
    const last = outcomes.at(-1)!;
    if (last.warnings || last.warningCount === 0) return complete;
    const { results } = await this.#send('SHOW WARNINGS', () => true);
    const warnings = results[0] ? readWarnings(results[0]) : [];
    complete[complete.length - 1] = completeOutcome({
      ...last,
      warningCount: last.warningCount ?? warnings.length,
      warnings,
    });
    return complete;
  }

  #failed(
    error: Error,
    at: number,
    { chunk, before }: { chunk: readonly SqlStatement[]; before: number },
  ): StatementFailedError {
    const isLost = this.#wire.lost !== undefined;
    const message = messageOf(error);
    const { sentence, retryable, kind } = explainDatabaseError(error, {
      isLost,
      message: withoutFollowing(message),
    });
    const offset = kind === 'syntax' ? offsetOfError(message, chunk[at]!.text) : undefined;
    return new StatementFailedError(sentence, {
      at: before + at,
      offset,
      outcomeUnknown: isLost,
      retryable,
      cause: error,
    });
  }
}

function completeOutcome({ rowCount, warningCount = 0, warnings }: PacketOutcome): StatementOutcome {
  if (warnings === undefined)
    return { rowCount, warningCount, warnings: warningCount > 0 ? [forgotten(warningCount)] : [] };
  const isAllKept = warnings.length >= warningCount && warningCount < MOST_COUNTED;
  return {
    rowCount,
    warningCount,
    warnings: isAllKept ? warnings : [...warnings, notKept(warningCount, warnings.length)],
  };
}

/** Where all that were kept are allowed, one of these may not be. */
function notKept(count: number, kept: number): ServerWarning {
  const message =
    count < MOST_COUNTED
      ? `the server counted ${count} and kept the first ${kept}. Nobody can say what the others are: put SET SESSION max_error_count = ${MOST_COUNTED} in front of the statement to keep them all, or split it`
      : `the server counts no further than ${MOST_COUNTED}, so that there may be others. Split the statement`;
  return { code: '0', level: 'warning', message };
}

/** Others followed it in its packet, which could not be undone and sent again. */
function forgotten(count: number): ServerWarning {
  const some = count === 1 ? 'A warning' : `${count} warnings`;
  return {
    code: '0',
    level: 'warning',
    message: `${some} whose text the server no longer has, for more statements followed at once. Run the statement by itself to read it.`,
  };
}

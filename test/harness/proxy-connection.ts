import { endsTransaction } from './faults.js';
import { Pipeline } from './pipeline.js';
import type { StepKind } from './pipeline.js';
import { ProxiedSockets } from './proxied-sockets.js';
import type { SeenStatement } from './seen-statement.js';
import * as wire from './wire-messages.js';
import type { ErrorFields, WireMessage } from './wire-messages.js';

interface Portal {
  readonly text: string;
  statement?: SeenStatement;
}

const stepOfType: Readonly<Record<string, StepKind>> = { D: 'describe', C: 'close', S: 'sync', F: 'call' };

/** One client of the proxy and its connection to the server. */
export class ProxyConnection extends ProxiedSockets {
  pid: number | undefined;

  private readonly pipeline = new Pipeline();
  private readonly frontend = new wire.MessageReader('startup');
  private readonly backend = new wire.MessageReader('typed');
  private readonly prepared = new Map<string, string>();
  private readonly portals = new Map<string, Portal>();
  private forServer: Buffer[] = [];
  private forClient: Buffer[] = [];
  private isReady = false;
  private isAwaited = true;
  private receivedChunks = 0;
  private handledChunks = 0;

  protected onClientData(chunk: Buffer): void {
    if (this.isLost || this.isCut) return;
    this.receivedChunks += 1;
    const isTerminate = chunk.length === 5 && chunk[0] === 0x58;
    if (!this.isAwaited && !isTerminate) {
      this.isAwaited = true;
      this.flights += 1;
    }
    this.whenHandled(() => this.handleClientChunk(chunk));
  }

  private async handleClientChunk(chunk: Buffer): Promise<void> {
    this.frontend.push(chunk);
    for (let next = this.frontend.next(); next !== undefined; next = this.frontend.next()) {
      await this.handleClientMessage(next);
      if (this.isCut || this.isLost) return;
    }
    this.handledChunks += 1;
    this.flushToServer();
  }

  private async handleClientMessage(message: WireMessage): Promise<void> {
    if (message.type === '') return this.handleStartup(message);
    if (!this.isReady) return this.pass(message);
    const body = new wire.BodyReader(message.body);
    switch (message.type) {
      case 'Q':
        return this.handleStatement(message, this.see(body.text(), 'simple'));
      case 'P':
        return this.handleParse(message, { name: body.text(), text: body.text() });
      case 'B':
        return this.handleBind(message, { portal: body.text(), name: body.text() });
      case 'E':
        return this.handleExecute(message, body.text());
      default:
        return this.pass(message, stepOfType[message.type]);
    }
  }

  private handleStartup(message: WireMessage): void {
    const code = new wire.BodyReader(message.body).int32();
    if (code === wire.startupCode.ssl || code === wire.startupCode.gss) {
      this.toClient.push(() => this.client.write('N'));
    } else if (code === wire.startupCode.cancel) {
      this.pass(message);
    } else if (this.host.refusal !== undefined) {
      this.forClient.push(wire.errorResponse({ ...this.host.refusal, severity: 'FATAL' }));
      this.finish();
    } else {
      this.frontend.phase = 'typed';
      this.pass(message);
    }
  }

  private handleParse(message: WireMessage, { name, text }: { name: string; text: string }): void {
    this.prepared.set(name, text);
    this.pipeline.sent({ kind: 'parse', text });
    this.pass(message);
  }

  private handleBind(message: WireMessage, { portal, name }: { portal: string; name: string }): void {
    const text = this.prepared.get(name) ?? '';
    this.portals.set(portal, { text });
    this.pipeline.sent({ kind: 'bind', text });
    this.pass(message);
  }

  private handleExecute(message: WireMessage, portalName: string): Promise<void> | void {
    const portal = this.portals.get(portalName);
    if (portal?.statement !== undefined) {
      this.pipeline.sent({ kind: 'execute', statement: portal.statement });
      return this.pass(message);
    }
    const statement = this.see(portal?.text ?? '', 'extended');
    if (portal !== undefined) portal.statement = statement;
    return this.handleStatement(message, statement);
  }

  private async handleStatement(message: WireMessage, statement: SeenStatement): Promise<void> {
    const kind = statement.protocol === 'simple' ? 'query' : 'execute';
    const faults = this.pipeline.isSkipping ? [] : [...this.host.faults];
    for (const armed of faults) {
      if (!armed.takes(statement)) continue;
      switch (armed.fault.action) {
        case 'hold':
          this.flushToServer();
          armed.act(statement);
          await Promise.race([
            armed.whenReleased(),
            new Promise((resolve) => this.client.once('close', resolve)),
          ]);
          if (this.isCut || this.isLost) return;
          continue;
        case 'fail':
          statement.outcome = 'faulted';
          statement.sqlstate = armed.fault.sqlstate;
          this.sendFailing(statement, armed.fault);
          return armed.act(statement);
        case 'cut-before':
          statement.outcome = 'faulted';
          this.flushToServer();
          // Half-closing lets the answers of what was sent before come back first.
          this.server.end();
          this.isCut = true;
          return armed.act(statement);
        case 'black-hole':
          statement.outcome = 'faulted';
          this.flushToServer();
          this.lose();
          return armed.act(statement);
        case 'cut-after':
          this.pipeline.sent({ kind, statement, cutAfter: armed });
          return this.pass(message);
      }
    }
    this.pipeline.sent({ kind, statement });
    this.pass(message);
  }

  /**
   * Sends something that the server refuses in the statement's place. So the order of the answers, skipping up
   * to Sync and the status of the transaction are the server's own; only the error's text is exchanged.
   */
  private sendFailing(statement: SeenStatement, replaceError: ErrorFields): void {
    const rollsBack = endsTransaction(statement.text);
    if (statement.protocol === 'simple') {
      this.forServer.push(wire.query(rollsBack ? 'ROLLBACK; SELECT 1/0' : 'fault injected by the test'));
      this.pipeline.sent({ kind: 'query', statement, hidden: true, replaceError });
      return;
    }
    if (rollsBack) {
      this.forServer.push(...wire.hiddenStatement('ROLLBACK'));
      for (const kind of ['parse', 'bind', 'execute', 'close'] as const)
        this.pipeline.sent({ kind, hidden: true });
    }
    this.forServer.push(wire.refusedParse());
    this.pipeline.sent({ kind: 'parse', statement, hidden: true, replaceError });
  }

  private see(text: string, protocol: SeenStatement['protocol']): SeenStatement {
    const outcome = this.pipeline.isSkipping ? 'skipped' : 'sent';
    const statement: SeenStatement = {
      text,
      connection: this.id,
      pid: this.pid,
      flight: this.flights,
      protocol,
      outcome,
    };
    this.host.saw(statement);
    return statement;
  }

  private pass(message: WireMessage, step?: StepKind): void {
    if (step !== undefined) this.pipeline.sent({ kind: step });
    this.forServer.push(message.raw);
  }

  private flushToServer(): void {
    if (this.forServer.length === 0) return;
    this.server.write(Buffer.concat(this.forServer));
    this.forServer = [];
  }

  protected onServerData(chunk: Buffer): void {
    if (this.isLost) return;
    this.backend.push(chunk);
    for (let next = this.backend.next(); next !== undefined; next = this.backend.next()) {
      this.handleServerMessage(next);
      if (this.server.destroyed) return;
    }
    this.flushToClient();
  }

  private handleServerMessage(message: WireMessage): void {
    if (!this.isReady) {
      if (message.type === 'K') this.pid = new wire.BodyReader(message.body).int32();
      if (message.type === 'Z') this.isReady = true;
      this.forClient.push(message.raw);
      if (this.isReady && this.host.farewell !== undefined) {
        this.forClient.push(wire.errorResponse({ ...this.host.farewell, severity: 'FATAL' }));
        this.finish();
      }
      return;
    }
    const { step, completes } = this.pipeline.answered(message);
    if (step?.cutAfter !== undefined) {
      if (!completes) return;
      this.finish();
      if (step.statement !== undefined) step.cutAfter.act(step.statement);
    } else if (step?.replaceError !== undefined && message.type === 'E') {
      this.forClient.push(wire.errorResponse(step.replaceError));
      if (step.replaceError.severity === 'FATAL') this.finish();
    } else if (step?.hidden !== true || message.type === 'Z') {
      this.forClient.push(message.raw);
    }
  }

  /** Everything of the client was answered, and the answers are on their way: its next write is a new flight. */
  private flushToClient(): void {
    const bytes = Buffer.concat(this.forClient);
    this.forClient = [];
    const answered = this.isReady && this.pipeline.isIdle ? this.handledChunks : -1;
    this.toClient.push(() => {
      if (bytes.length > 0) this.client.write(bytes);
      if (answered === this.receivedChunks) this.isAwaited = false;
    });
  }

  /** Delivers what came before, then closes both sides. */
  private finish(): void {
    this.isCut = true;
    this.flushToClient();
    this.server.destroy();
    this.endClient();
  }
}

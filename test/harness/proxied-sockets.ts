import { connect, type Socket } from 'node:net';
import { DelayLine } from './delay-line.js';
import type { ArmedFault } from './faults.js';
import type { SeenStatement } from './seen-statement.js';
import type { ErrorFields } from './wire-messages.js';

/** What a connection asks of the proxy it belongs to. */
export interface ProxyHost {
  readonly target: { readonly host: string; readonly port: number };
  readonly latency: { readonly toServerMs: number; readonly toClientMs: number };
  /** What the answers of the server are kept for. */
  readonly answersKept: Promise<unknown> | undefined;
  readonly faults: readonly ArmedFault[];
  /** Answers the startup of new connections. */
  readonly refusal: ErrorFields | undefined;
  /** Ends new connections as soon as they are ready, in the same packet. */
  readonly farewell: ErrorFields | undefined;
  saw(statement: SeenStatement): void;
}

/** One client of a proxy and its connection to the server: the sockets, the delays between them, and their end. */
export abstract class ProxiedSockets {
  /** How often the client wrote while nothing was outstanding, after the connection was ready. */
  flights = 0;
  /** Bytes were swallowed: what would come now makes no sense without them. */
  isLost = false;
  readonly closed: Promise<unknown>;
  protected readonly server: Socket;
  protected readonly toServer: DelayLine;
  protected readonly toClient: DelayLine;
  protected isCut = false;
  private work: Promise<void> = Promise.resolve();

  constructor(
    readonly id: number,
    protected readonly client: Socket,
    protected readonly host: ProxyHost,
  ) {
    this.toServer = new DelayLine(() => host.latency.toServerMs);
    this.toClient = new DelayLine(
      () => host.latency.toClientMs,
      () => host.answersKept,
    );
    this.server = connect({ ...host.target, allowHalfOpen: true, noDelay: true });
    const whenClosed = (socket: Socket): Promise<unknown> =>
      new Promise((resolve) => socket.once('close', resolve));
    this.closed = Promise.all([whenClosed(client), whenClosed(this.server)]);
    client.setNoDelay(true);
    for (const socket of [client, this.server]) socket.on('error', () => undefined);
    client.on('data', (chunk: Buffer) => this.onClientData(chunk));
    client.on('end', () => this.whenHandled(() => this.server.end()));
    client.on('close', () => this.whenHandled(() => this.server.end()));
    this.server.on('data', (chunk: Buffer) => this.onServerData(chunk));
    this.server.on('end', () => this.endClient());
    this.server.on('close', () => this.endClient());
  }

  protected abstract onClientData(chunk: Buffer): void;
  protected abstract onServerData(chunk: Buffer): void;

  get isOpen(): boolean {
    return !this.client.destroyed;
  }

  /** Closes both sides at once; what is under way is lost. */
  cut(): void {
    this.isCut = true;
    this.toClient.close();
    this.toServer.close();
    this.client.destroy();
    this.server.destroy();
  }

  /** Swallows everything from now on, without closing anything. */
  lose(): void {
    this.isLost = true;
    this.toClient.close();
    this.toServer.close();
  }

  /** After the delay, and after everything that came before. */
  protected whenHandled(act: () => unknown): void {
    this.toServer.push(() => {
      this.work = this.work.then(async () => {
        if (!this.isLost && !this.isCut) await act();
      });
    });
  }

  protected endClient(): void {
    if (!this.isLost) this.toClient.push(() => this.client.destroySoon());
  }
}

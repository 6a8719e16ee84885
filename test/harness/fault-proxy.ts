import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArmedFault } from './faults.js';
import type { ArmOptions, Fault } from './faults.js';
import { MysqlProxyConnection } from './mysql-proxy-connection.js';
import { ProxyConnection } from './proxy-connection.js';
import type { ProxiedSockets, ProxyHost } from './proxied-sockets.js';
import type { SeenStatement } from './seen-statement.js';
import type { ErrorFields } from './wire-messages.js';

export type { ArmOptions, ArmedFault, Fault } from './faults.js';
export type { SeenStatement } from './seen-statement.js';

/** Starts a TCP proxy in front of the server of `serverUrl`. It speaks that server's protocol without SSL. */
export async function startFaultProxy(serverUrl: string): Promise<FaultProxy> {
  const { protocol, hostname, port } = new URL(serverUrl);
  const [Connection, defaultPort] =
    protocol === 'mysql:' ? ([MysqlProxyConnection, 3306] as const) : ([ProxyConnection, 5432] as const);
  const proxy = new FaultProxy({ host: hostname, port: Number(port || defaultPort) }, Connection);
  await proxy.listen();
  return proxy;
}

export class FaultProxy implements ProxyHost {
  /** Every statement that clients sent, in order; simple queries as one text, extended ones at their Execute. */
  readonly statements: SeenStatement[] = [];
  readonly faults: ArmedFault[] = [];
  latency = { toServerMs: 0, toClientMs: 0 };
  answersKept: Promise<void> | undefined;
  refusal: ErrorFields | undefined;
  /** Ends each new PostgreSQL connection with this error, in the packet that says that it is ready. */
  farewell: ErrorFields | undefined;

  private readonly connections = new Set<ProxiedSockets>();
  /** Accepted while the proxy was a black hole: never connected to the server. */
  private readonly swallowed = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  private connectionCount = 0;
  private flightsBefore = 0;
  private isBlackHole = false;

  constructor(
    readonly target: ProxyHost['target'],
    private readonly Connection: new (id: number, client: Socket, host: ProxyHost) => ProxiedSockets,
  ) {}

  /** How many connections were accepted so far, and how many of them are open. */
  get connectionCounts(): { readonly accepted: number; readonly open: number } {
    return { accepted: this.connectionCount, open: this.connections.size };
  }

  /** The same database as `databaseUrl`, through this proxy. */
  url(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    url.searchParams.delete('sslmode');
    return url.href;
  }

  /** Acts on the next statement that matches. */
  once(statement: RegExp, fault: Fault): ArmedFault {
    return this.arm(statement, fault, { times: 1 });
  }

  /** Acts on every statement that matches, until `disarm()`. */
  arm(statement: RegExp, fault: Fault, options: ArmOptions = {}): ArmedFault {
    const armed = new ArmedFault(statement, fault, options);
    this.faults.push(armed);
    return armed;
  }

  /** Delays what is sent from now on, in each direction. */
  delay(latency: { toServerMs?: number; toClientMs?: number }): void {
    this.latency = { ...this.latency, ...latency };
  }

  /** Keeps what the server answers from now on, on every connection, until the function is called that it returns. */
  keepAnswers(): () => void {
    let deliver!: () => void;
    this.answersKept = new Promise((resolve) => (deliver = resolve));
    return () => {
      this.answersKept = undefined;
      deliver();
    };
  }

  /** Cuts all connections; new ones are welcome. */
  async cut(): Promise<void> {
    const open = [...this.connections];
    for (const connection of open) connection.cut();
    for (const socket of this.swallowed) socket.destroy();
    await Promise.all(open.map((connection) => connection.closed));
  }

  /** Refuses new connections: with ECONNREFUSED, or as the server itself does when an error is given. */
  async refuse(error?: ErrorFields): Promise<void> {
    if (error === undefined) await this.stopListening();
    else this.refusal = error;
  }

  /** Accepts connections and swallows everything, in both directions, on old and new ones. */
  blackHole(): void {
    this.isBlackHole = true;
    for (const connection of this.connections) connection.lose();
  }

  /** Ends refusal, black hole and delay. Connections that lost bytes cannot go on: they are cut. */
  async heal(): Promise<void> {
    this.isBlackHole = false;
    this.refusal = undefined;
    this.farewell = undefined;
    this.latency = { toServerMs: 0, toClientMs: 0 };
    const lost = [...this.connections].filter((connection) => connection.isLost);
    for (const connection of lost) connection.cut();
    for (const socket of this.swallowed) socket.destroy();
    await Promise.all(lost.map((connection) => connection.closed));
    await this.listen();
  }

  /** The number of client flights: how often a client wrote while it waited for nothing. Logins do not count. */
  get flights(): number {
    return this.allFlights - this.flightsBefore;
  }

  /** The statements' texts, in order. */
  get texts(): readonly string[] {
    return this.statements.map(({ text }) => text);
  }

  get openConnections(): number {
    return [...this.connections].filter(({ isOpen }) => isOpen).length + this.swallowed.size;
  }

  /** Empties `statements` and restarts `flights` at 0. */
  forget(): void {
    this.statements.length = 0;
    this.flightsBefore = this.allFlights;
  }

  async close(): Promise<void> {
    for (const fault of this.faults) fault.disarm();
    await this.stopListening();
    await this.cut();
  }

  saw(statement: SeenStatement): void {
    this.statements.push(statement);
  }

  /** Called by `startFaultProxy` and `heal`. The port stays the same for the proxy's life. */
  async listen(): Promise<void> {
    for (let attempt = 1; this.server === undefined; attempt += 1) {
      const server = createServer({ allowHalfOpen: true }, (client) => this.accept(client));
      try {
        await once(server.listen(this.port, '127.0.0.1'), 'listening');
        this.port = (server.address() as AddressInfo).port;
        this.server = server;
      } catch (error) {
        // While the proxy refused, somebody's outgoing connection may have been given its port.
        if (attempt === 100) throw error;
        await sleep(20);
      }
    }
  }

  private get allFlights(): number {
    return this.flightsOfClosed + [...this.connections].reduce((sum, { flights }) => sum + flights, 0);
  }

  private flightsOfClosed = 0;

  private accept(client: Socket): void {
    if (this.isBlackHole) {
      this.swallowed.add(client);
      client.on('error', () => undefined);
      client.on('close', () => this.swallowed.delete(client));
      client.resume();
      return;
    }
    this.connectionCount += 1;
    const connection = new this.Connection(this.connectionCount, client, this);
    this.connections.add(connection);
    void connection.closed.then(() => {
      this.connections.delete(connection);
      this.flightsOfClosed += connection.flights;
    });
  }

  private async stopListening(): Promise<void> {
    const server = this.server;
    if (server === undefined) return;
    this.server = undefined;
    // The handle closes at once; the event would wait for the connections that are still open.
    server.close();
    await sleep(0);
  }
}

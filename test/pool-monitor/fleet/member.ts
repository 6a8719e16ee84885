import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { FleetShare } from '../../../src/pool-monitor/alerts/fleet.js';
import { installedPackage } from '../../harness/installed-package.js';

/** One process of a service: tells its role and what the others told at each change; takes what it is to share by a line each. */
const PROGRAM = `
const [root, given] = process.argv.slice(1);
const { driver, config, instance } = JSON.parse(given);
const { managePool } = require(root + '/index.js');
const { keepConnection } = require(root + '/pool-monitor/server/index.js');
const { DatabaseFleet } = require(root + '/pool-monitor/fleet/index.js');
const pool = driver === 'pg' ? new (require('pg').Pool)(config)
  : driver === 'mysql2' ? require('mysql2/promise').createPool(config) : require('mariadb').createPool(config);
if (pool.on) pool.on('error', () => {});
const managed = managePool(pool);
const connection = keepConnection(managed, { instance });
const fleet = new DatabaseFleet({
  connection, instance, dialect: managed.dialect, clock: managed.clock, service: 'orders', environment: 'three processes', everyMs: 100,
});
const tell = () => process.stdout.write(JSON.stringify({ role: fleet.role(), others: [...fleet.others()] }) + '\\n');
fleet.onChange(tell);
connection.start().then(() => fleet.start());
let rest = '';
process.stdin.on('data', (text) => {
  const lines = (rest + text).split('\\n');
  rest = lines.pop();
  for (const line of lines) fleet.share(JSON.parse(line));
});
process.stdin.on('end', async () => { await fleet.stop(); await connection.stop(); await pool.end(); });
`;

export interface MemberOptions {
  readonly driver: 'pg' | 'mysql2' | 'mariadb';
  readonly config: object;
  readonly instance: string;
}

interface Told {
  readonly role: { readonly sends: boolean; readonly alone?: string };
  readonly others: readonly (readonly [string, FleetShare])[];
}

/** A process of the fleet. */
export class Member {
  readonly instance: string;
  readonly ended: Promise<number | null>;
  told: Told = { role: { sends: false }, others: [] };
  readonly #process: ChildProcess;

  constructor(options: MemberOptions) {
    this.instance = options.instance;
    const root = join(installedPackage(), 'dist/cjs');
    this.#process = spawn(process.execPath, ['-e', PROGRAM, root, JSON.stringify(options)], {
      cwd: process.cwd(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let rest = '';
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      // What pino has to say is no line of ours.
      for (const line of lines) if (line.startsWith('{"role"')) this.told = JSON.parse(line) as Told;
    });
    this.ended = new Promise((resolve) => this.#process.once('close', resolve));
  }

  get sends(): boolean {
    return this.told.role.sends;
  }

  /** Leaks of the others, by their names, for one key. */
  leaked(key: string): Record<string, number> {
    const counts = this.told.others.flatMap(([instance, { sightings }]) =>
      sightings.filter((sighting) => sighting.key === key).map(({ leaked }) => [instance, leaked] as const),
    );
    return Object.fromEntries(counts);
  }

  share(share: FleetShare): void {
    this.#process.stdin!.write(`${JSON.stringify(share)}\n`);
  }

  kill(): Promise<number | null> {
    this.#process.kill('SIGKILL');
    return this.ended;
  }

  leave(): Promise<number | null> {
    this.#process.stdin!.end();
    return this.ended;
  }
}

/** What a process shares that sees a leak. */
export function leakOf(key: string, leaked: number, evidence = 'idle for 120 s'): FleetShare {
  return {
    sightings: [
      {
        key,
        kind: 'leak',
        severity: 'critical',
        certainty: 'likely',
        pool: 'default',
        site: 'OrderService.place (src/order.service.ts:42)',
        since: 1000,
        evidence,
        advice: 'Release it.',
        count: leaked,
        ended: undefined,
        leaked,
        suspected: 0,
        inUse: 5,
        max: 10,
        waiting: 0,
        oldestWaitMs: 0,
        fullInMs: undefined,
        statement: 'SELECT ?',
      },
    ],
    told: [],
  };
}

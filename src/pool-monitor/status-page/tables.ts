import { counted, formatMs } from '../format.js';
import type { LeaseReport, SiteReport } from '../report.js';
import type { ServerReport, ServerSession } from '../server-report.js';
import type { SentAlert } from '../view.js';
import { type Html, html, type HtmlValue } from './html.js';

/** More rows than this help nobody; how many there are is said. */
const MOST_ROWS = 100;

interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => HtmlValue;
  readonly isNumber?: true;
}

function table<Row>(title: string, rows: readonly Row[], columns: readonly Column<Row>[]): Html {
  const kind = ({ isNumber }: Column<Row>): string => (isNumber ? 'n' : '');
  return html`<h3>${title}</h3>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            ${columns.map((column) => html`<th class="${kind(column)}">${column.title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.slice(0, MOST_ROWS).map(
            (row) =>
              html`<tr>
                ${columns.map((column) => html`<td class="${kind(column)}">${column.cell(row)}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${rows.length > MOST_ROWS && html`<p class="soft">And ${rows.length - MOST_ROWS} more.</p>`}`;
}

export function sitesTable(title: string, sites: readonly SiteReport[]): HtmlValue {
  if (sites.length === 0) return false;
  return table(title, sites, [
    { title: 'Call site', cell: ({ site }) => html`<code>${site}</code>` },
    { title: 'Count', cell: ({ count }) => count, isNumber: true },
    { title: 'Oldest', cell: ({ oldestMs }) => formatMs(oldestMs), isNumber: true },
  ]);
}

export function leasesTable(leases: readonly LeaseReport[]): HtmlValue {
  if (leases.length === 0) return false;
  return table('Connections that are lent, oldest first', leases, [
    { title: 'Age', cell: ({ ageMs }) => formatMs(ageMs), isNumber: true },
    { title: 'Idle', cell: ({ idleMs }) => formatMs(idleMs), isNumber: true },
    {
      title: 'Call site',
      cell: ({ site, request }) =>
        html`<code>${site}</code>${request !== undefined && html` <span class="soft">in ${request}</span>`}`,
    },
    { title: 'State', cell: stateOf },
    { title: 'Last statement', cell: ({ statement }) => html`<code>${statement ?? ''}</code>` },
    { title: 'Backend', cell: ({ backendId }) => backendId, isNumber: true },
  ]);
}

function stateOf(lease: LeaseReport): Html {
  const words = leaseWords(lease);
  if (lease.verdict === 'leak') return html`<span class="bad">${words}</span>`;
  return lease.verdict === 'suspect' ? html`<span class="warn">${words}</span>` : html`${words}`;
}

/**
 * What a lease is doing, in words.
 *
 * @example
 * ```ts
 * monitor.report().pools[0].leases.map(leaseWords); // ['leaked, idle, in a transaction']
 * ```
 */
export function leaseWords(lease: LeaseReport): string {
  const words = [
    lease.verdict === 'leak' && 'leaked',
    lease.verdict === 'suspect' && 'suspect',
    lease.running ? 'running' : 'idle',
    lease.inTransaction && 'in a transaction',
    lease.allowed !== undefined && `held on purpose: ${lease.allowed}`,
  ];
  return words.filter(Boolean).join(', ');
}

export function serverSection(server: ServerReport | undefined): HtmlValue {
  if (!server) return false;
  const { connections, maxConnections, own, product, idleInTransaction, blocking, notes } = server;
  const share =
    connections === undefined
      ? `${counted(own, 'session')} of this process`
      : `${connections}${maxConnections === undefined ? '' : ` of ${maxConnections}`} connections, ${own} of them of this process`;
  return html`<h3>The server: ${product}</h3>
    <p>${share}</p>
    ${notes.map((note) => html`<p class="warn">${note}</p>`)}
    ${
      blocking.length > 0 &&
      table('Who blocks whom', blocking, [
        { title: 'Blocked', cell: ({ blocked }) => sessionOf(blocked) },
        { title: 'By', cell: ({ blocker }) => sessionOf(blocker) },
        {
          title: 'For',
          cell: ({ waitMs }) => (waitMs === undefined ? '' : formatMs(waitMs)),
          isNumber: true,
        },
        { title: 'Lock', cell: ({ lock }) => lock },
      ])
    }
    ${
      idleInTransaction.length > 0 &&
      table('Idle inside a transaction', idleInTransaction, [
        { title: 'Session', cell: sessionOf },
        {
          title: 'Open for',
          cell: ({ transactionMs }) => (transactionMs === undefined ? '' : formatMs(transactionMs)),
          isNumber: true,
        },
        { title: 'Last statement', cell: ({ statement }) => html`<code>${statement ?? ''}</code>` },
      ])
    }`;
}

function sessionOf({ backendId, application, site }: ServerSession): Html {
  const who = site === undefined ? application : undefined;
  return html`${backendId} ${site !== undefined && html`<code>${site}</code>`} ${who}`;
}

export function alertsTable(alerts: readonly SentAlert[]): HtmlValue {
  if (alerts.length === 0) return html`<p class="soft">None was sent.</p>`;
  return table('The latest first', alerts, [
    { title: 'At (UTC)', cell: ({ at }) => timeOf(at) },
    { title: 'Severity', cell: ({ severity }) => severity },
    { title: 'Status', cell: ({ status }) => status },
    { title: 'Alert', cell: ({ title }) => title },
    {
      title: 'Sent to',
      cell: ({ outcomes }) => outcomes.map(({ sink, outcome }) => `${sink}: ${outcome}`).join(', '),
    },
  ]);
}

/** `2026-01-31 12:00:00`. */
export function timeOf(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

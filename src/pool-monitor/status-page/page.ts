import type { Finding, Severity } from '../finding.js';
import { formatMs } from '../format.js';
import { gaugeChart } from './gauge-chart.js';
import { Html, html, type HtmlValue } from './html.js';
import type { PoolStatus, StatusDocument } from './status-document.js';
import { STYLE } from './style.js';
import { alertsTable, leasesTable, serverSection, sitesTable, timeOf } from './tables.js';

/** How often the page loads itself again, without a script. */
const REFRESH_S = 10;

/** The page: one document, without a script and without anything to load. */
export function renderPage(status: StatusDocument, refresh: 'refreshing' | 'still'): string {
  const { service, environment, version, instance, pools, alerts, at } = status;
  const isStill = refresh === 'still';
  return `<!doctype html>\n${html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="robots" content="noindex" />
      ${!isStill && html`<meta http-equiv="refresh" content="${REFRESH_S}" />`}
      <title>${verdictOf(pools)} · ${service}</title>
      ${Html.style(STYLE)}
    </head>
    <body>
      <main>
        <header>
          <h1>${service}</h1>
          ${[environment, version, instance].map((each) => each !== undefined && html`<span>${each}</span>`)}
          <span class="right">
            ${timeOf(at)} UTC ·
            ${
              isStill
                ? html`<a href="?">refresh every ${REFRESH_S} s</a>`
                : html`<a href="?refresh=off">stop refreshing</a>`
            }
            · <a href="?format=json">JSON</a>
          </span>
        </header>
        ${pools.length === 0 && html`<section><p>No pool is watched.</p></section>`} ${pools.map(poolSection)}
        <section>
          <h2>Alerts</h2>
          ${alertsTable(alerts)}
        </section>
      </main>
    </body>
  </html>`.toString()}\n`;
}

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

function verdictOf(pools: readonly PoolStatus[]): string {
  const [worst] = pools.flatMap((pool) => worstFirst(pool.findings));
  return worst ? `${worst.kind}: ${worst.pool}` : 'all well';
}

function poolSection(pool: PoolStatus): Html {
  const { counts, waiting, findings, untracked } = pool;
  const limit = Number.isFinite(counts.max) ? String(counts.max) : 'no limit';
  return html`<section>
    <h2>Pool ${pool.pool}</h2>
    <dl class="tiles">
      ${tile('In use', `${counts.inUse} of ${limit}`, counts.inUse >= counts.max && 'bad')}
      ${tile('Idle', counts.idle)} ${tile('Waiting', counts.pending, counts.pending > 0 && 'warn')}
      ${tile('Oldest wait', waiting.count > 0 ? formatMs(waiting.oldestMs) : '–')}
      ${tile('Wait, 95 %, last minute', formatMs(pool.waitP95Ms))}
      ${tile('Timeouts', pool.timeouts, pool.timeouts > 0 && 'warn')}
      ${tile('Leaked', pool.leaked, pool.leaked > 0 && 'bad')}
    </dl>
    ${
      findings.length === 0
        ? html`<p class="good">Nothing is wrong with this pool.</p>`
        : findings.map(findingPart)
    }
    <h3>The last hour</h3>
    ${gaugeChart(pool)}
    <p class="key"><b class="u">in use</b> · <b class="w">waiting</b> · dashed: the limit</p>
    ${sitesTable('Connections by call site', pool.sites)}
    ${
      untracked > 0 &&
      html`<p class="soft">
        ${untracked} more in use by single statements, or taken before the monitor came.
      </p>`
    }
    ${sitesTable('Requests that wait, by call site', waiting.sites)} ${leasesTable(pool.leases)}
    ${serverSection(pool.server)}
  </section>`;
}

function worstFirst(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}

function tile(name: string, value: string | number, colour: string | false = false): HtmlValue {
  return html`<div>
    <dt>${name}</dt>
    <dd class="${colour || ''}">${value}</dd>
  </div>`;
}

function findingPart({ severity, kind, certainty, since, evidence, advice, site }: Finding): Html {
  return html`<div class="finding ${severity}">
    <p>${kind}${site !== undefined && html`: <code>${site}</code>`}</p>
    <p>${evidence}</p>
    <p>${advice}</p>
    <p class="soft">${severity}, ${certainty}, since ${timeOf(since)} UTC</p>
  </div>`;
}

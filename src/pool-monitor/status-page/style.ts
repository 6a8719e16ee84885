/** The whole of the page's appearance: nothing is loaded from anywhere. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6878; --line: #dfe4ea; --ground: #f6f7f9; --card: #fff;
  --used: #2f6fde; --waiting: #d9480f; --limit: #98a2b3; --bad: #b42318; --warn: #b54708; --good: #067647; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #303946; --ground: #12161c; --card: #1a2028;
    --used: #6ea3ff; --waiting: #ff8a4c; --limit: #667085; --bad: #f97066; --warn: #fdb022; --good: #47cd89; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 20px 24px 40px; background: var(--ground); color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; }
header { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; margin-bottom: 14px; }
h1 { font-size: 20px; margin: 0; } h2 { font-size: 17px; margin: 0 0 10px; } h3 { font-size: 13px; margin: 18px 0 6px; color: var(--soft); }
header span, .soft { color: var(--soft); }
header .right { margin-left: auto; }
a { color: var(--used); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px 18px; margin-bottom: 16px; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 0 0 12px; padding: 0; }
.tiles div { flex: 1 1 110px; border: 1px solid var(--line); border-radius: 6px; padding: 8px 10px; }
.tiles dt { color: var(--soft); font-size: 12px; } .tiles dd { margin: 0; font-size: 18px; font-variant-numeric: tabular-nums; }
.chart { width: 100%; height: auto; display: block; }
.grid { stroke: var(--line); } .limit { stroke: var(--limit); stroke-dasharray: 4 4; }
.axis { fill: var(--soft); font-size: 10px; }
.used { fill: none; stroke: var(--used); stroke-width: 1.5; } .used-area { fill: var(--used); opacity: .14; }
.waiting { fill: none; stroke: var(--waiting); stroke-width: 1.5; }
.key { font-size: 12px; color: var(--soft); margin: 2px 0 0 34px; } .key b { font-weight: 600; }
.key .u { color: var(--used); } .key .w { color: var(--waiting); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { text-align: left; font-weight: 600; color: var(--soft); } th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: 12px/1.4 ui-monospace, "Liberation Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.finding { border-left: 3px solid var(--soft); padding: 2px 0 2px 12px; margin: 10px 0; }
.finding.critical { border-color: var(--bad); } .finding.warning { border-color: var(--warn); }
.finding p { margin: 2px 0; } .finding p:first-child { font-weight: 600; }
.bad, .critical > p:first-child { color: var(--bad); } .warn, .warning > p:first-child { color: var(--warn); } .good { color: var(--good); }
`;

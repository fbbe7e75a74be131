/** The looks of a report's page: light and dark, on phones and on paper. @module */

export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --panel: #ffffff; --line: #e3e6eb; --text: #171a21; --quiet: #545d6c; --shade: #0003;
  --there: #2aa58f; --explained: #7f93b2; --owed: #f0b23c; --open: #e0352b; --accent: #0b6e63;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1216; --panel: #171b21; --line: #2b323c; --text: #e6e9ee; --quiet: #a0a9b7; --shade: #000c;
    --there: #26967f; --explained: #7188ad; --owed: #e3a52f; --open: #f0544a; --accent: #5fd0bd;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 24px 16px 48px; background: var(--ground); color: var(--text);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 1000px; margin: 0 auto; }
h1 { margin: 0 0 4px; font-size: 22px; }
h2 { margin: 0 0 10px; font-size: 16px; }
p { margin: 0 0 8px; max-width: 75ch; overflow-wrap: anywhere; }
.quiet, th { color: var(--quiet); }
p.quiet { margin-bottom: 2px; }
section { margin-top: 16px; padding: 16px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
.share { margin: 0; font-size: 40px; font-weight: 650; line-height: 1.1; color: var(--accent); }
.verdict { font-size: 15px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 8px 0 0; padding: 0; list-style: none; }
.legend svg { width: 10px; height: 10px; margin-right: 6px; }
svg.bar { display: block; width: 100%; min-width: 60px; height: 8px; }
svg.whole { height: 16px; }
.there { fill: var(--there); } .explained { fill: var(--explained); }
.owed { fill: var(--owed); } .open { fill: var(--open); }
/* A shadow at the side where a table goes on. */
.scroll {
  overflow-x: auto;
  background:
    linear-gradient(to right, var(--panel) 40%, transparent) left / 40px 100% no-repeat local,
    linear-gradient(to left, var(--panel) 40%, transparent) right / 40px 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) left / 14px 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / 14px 100% no-repeat scroll;
}
.scroll + .scroll, .scroll + p, p + .scroll { margin-top: 12px; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-weight: 500; text-align: left; font-size: 12px; }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
th.number, td.number { text-align: right; }
.number + :not(.number) { padding-left: 8px; }
td.name { max-width: 22em; white-space: normal; overflow-wrap: anywhere; min-width: 9em; }
td.words { white-space: normal; min-width: 12em; overflow-wrap: anywhere; }
td.drawn { width: 15%; min-width: 80px; padding-top: 11px; }
td.code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 12px; white-space: normal; overflow-wrap: anywhere; min-width: 16em; }
@media (max-width: 600px) {
  body { padding: 12px 8px 32px; }
  section { padding: 12px; }
  .share { font-size: 32px; }
  table { font-size: 13px; }
  th, td { padding-right: 8px; }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #ffffff; --panel: #ffffff; --line: #d0d5dc; --text: #000000; --quiet: #444b57;
    --there: #2aa58f; --explained: #7f93b2; --owed: #f0b23c; --open: #e0352b; --accent: #0b6e63;
  }
  @page { size: A4; margin: 14mm 12mm; }
  body { padding: 0; font-size: 9pt; }
  main { max-width: none; }
  section { margin-top: 5mm; padding: 0; border: 0; }
  h1 { font-size: 15pt; } h2 { font-size: 11pt; margin-bottom: 2mm; } .share { font-size: 24pt; }
  h2 { break-after: avoid; }
  tr, p, .legend { break-inside: avoid; }
  thead { display: table-header-group; }
  th { font-size: 8pt; }
  th, td { padding: 1mm 2mm 1mm 0; }
  td.name, td.words, td.code { min-width: 0; }
  td.code { font-size: 7pt; }
  td.drawn { min-width: 0; padding-top: 2mm; }
  .scroll { overflow: visible; background: none; }
  svg.bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; min-width: 0; }
}
`;

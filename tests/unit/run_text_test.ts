import assert from "node:assert/strict";
import { startText } from "../../lib/cli/run.ts";
import type { StartSummary } from "../../lib/daemon/start_summary.ts";

const SUMMARY: StartSummary = {
  version: "1.2.3",
  database: "embedded",
  timescaledb: "2.23.0",
  place: "./titan10-data",
  bytes: 1_230_000_000,
  exchanges: 5,
  unanswered: [],
  series: 1_210,
  tight: [],
  url: "http://127.0.0.1:9464",
};

const tight = (exchange: string): StartSummary["tight"][number] => ({
  exchange,
  secondsAMinute: 90,
  symbolsMax: 55,
  isOverdrawn: true,
  problem: "90 symbols …",
});

Deno.test("a start is told in five lines: version, archive, series, pace, and where to look", () => {
  assert.equal(
    startText(SUMMARY, 80),
    `titan10 1.2.3 is running. Ctrl-C stops it
  archive  1.2 GB in ./titan10-data (embedded, TimescaleDB 2.23.0)
  series   1,210 of 5 exchanges
  pace     polls fit into every minute
  look     http://127.0.0.1:9464/ or titan10 status`,
  );
});

Deno.test("a start names the exchange that is too slow, and those that have not answered", () => {
  const text = startText({ ...SUMMARY, unanswered: ["okx"], tight: [tight("kraken")] }, 80);
  assert.match(text, /1,210 of 5 exchanges; 1 not answered yet: okx$/m);
  assert.match(text, /kraken takes 90 s of every minute, 55 symbols fit: titan10 plan$/m);
});

Deno.test("five lines they stay, none wider than the terminal, whatever there is to tell", () => {
  const names = ["krakenfutures", "binancecoinm", "hyperliquid", "coinbaseexchange"];
  const text = startText({
    ...SUMMARY,
    timescaledb: null,
    database: "server",
    place: `${"db.example.com:5432,".repeat(4)}/an_archive\n`,
    unanswered: names,
    tight: names.map(tight),
  }, 80);
  const lines = text.split("\n");
  assert.equal(lines.length, 5);
  assert.deepEqual(lines.filter((line) => line.length > 80), []);
  assert.match(text, /; 4 not answered yet: krakenfutures, /);
  assert.match(text, /pace +polls take too long at 4 exchanges, see titan10 plan: krakenfutures,/);
});

Deno.test("a pace of which no exchange has answered is not praised", () => {
  const text = startText({ ...SUMMARY, exchanges: 1, unanswered: ["okx"], series: 0 }, 80);
  assert.match(text, /pace +not known yet$/m);
});

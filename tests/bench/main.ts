/**
 * Benchmarks: each prints ratios of two things measured in the same run, because machines differ and are noisy.
 * `--server URL` measures on a server instead of the embedded database, `--only b,h` runs some of them, `--scale 0.1`
 * makes them smaller, `--data FILE.csv` has real candles compressed, `--json` prints one line a result.
 * @module
 */
import { parseArgs } from "node:util";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { openEmbeddedTest, openOnServer } from "../support/test_database.ts";
import type { Bench, Result } from "./bench.ts";
import { candleSize } from "./candle_size.ts";
import { compression } from "./compression.ts";
import { daemonMemory } from "./daemon_memory.ts";
import { endToEnd } from "./end_to_end.ts";
import { fileImport } from "./file_import.ts";
import { firstBackfill } from "./first_backfill.ts";
import { firstRow } from "./first_row.ts";
import { freshness } from "./freshness.ts";
import { gapScan } from "./gap_scan.ts";
import { memory } from "./memory.ts";
import { nodes } from "./nodes.ts";
import { pageWrite } from "./page_write.ts";
import { paging } from "./paging.ts";
import { publishedHistory } from "./published_history.ts";
import { seriesCount } from "./series_count.ts";
import { statusFeed } from "./status_feed.ts";

const BENCHES: readonly Bench[] = [
  endToEnd,
  pageWrite,
  freshness,
  memory,
  firstRow,
  compression,
  gapScan,
  seriesCount,
  paging,
  candleSize,
  firstBackfill,
  publishedHistory,
  daemonMemory,
  statusFeed,
  fileImport,
  nodes,
];

const { values } = parseArgs({
  args: Deno.args,
  options: {
    server: { type: "string" },
    only: { type: "string" },
    scale: { type: "string" },
    data: { type: "string" },
    json: { type: "boolean" },
  },
});
const letters = values.only?.split(",");
const scale = Number(values.scale ?? 1);
if (!(scale > 0)) throw new RangeError(`Cannot scale benchmarks by ${values.scale}`);

for (const bench of BENCHES) {
  if (letters !== undefined && !letters.includes(bench.name[0] ?? "")) continue;
  const opened = values.server === undefined
    ? await openEmbeddedTest()
    : await openOnServer(values.server);
  try {
    await migrate(opened.database, await readMigrations());
    for (const result of await bench.run({ opened, scale, data: values.data })) print(result);
  } finally {
    await opened.drop();
  }
}

function print(result: Result): void {
  const { bench, value, unit, ratio, against } = result;
  if (values.json === true) console.log(JSON.stringify(result));
  else console.log(`${bench}: ${value} ${unit}, ${Number(ratio.toPrecision(3))} times ${against}`);
}

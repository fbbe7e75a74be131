/** Files of candles that tests make, and what becomes of them when they are imported. @module */
import assert from "node:assert/strict";
import type { Database } from "../../lib/store/connection/database.ts";
import { withAnyArchivePlace } from "./archive_place.ts";
import { type FileCandle, plain } from "./file_candles.ts";
import { runInProcess } from "./shell.ts";

export interface FileCase {
  readonly name: string;
  readonly file: string | Uint8Array;
  /** Its name. @default "file.csv" */
  readonly path?: string;
  readonly writtenMs?: number;
  /** Exchange, symbol, timeframe, and further arguments; empty: the file says them. */
  readonly as: readonly string[];
  /** What is stored, or why nothing is. */
  readonly stored?: readonly FileCandle[];
  /** What is covered, in times of the first day; not compared by default. */
  readonly covered?: readonly string[];
  readonly refused?: RegExp;
}

/** Imports each file, and compares what is stored then; what was refused must have stored nothing. */
export async function importAll(t: Deno.TestContext, cases: readonly FileCase[]): Promise<void> {
  await withAnyArchivePlace(async (place) => {
    const env = { BACKFILL: "off", ...place.env };
    for (const one of cases) {
      await t.step(one.name, async () => {
        const path = `${place.folder}/${one.path ?? "file.csv"}`;
        await Deno.writeFile(
          path,
          typeof one.file === "string" ? new TextEncoder().encode(one.file) : one.file,
        );
        if (one.writtenMs !== undefined) {
          await Deno.utime(path, one.writtenMs / 1000, one.writtenMs / 1000);
        }
        const [exchange, symbol, timeframe, ...more] = one.as as [string, string, string];
        const series = one.as.length === 0
          ? []
          : ["--exchange", exchange, "--symbol", symbol, "--timeframe", timeframe];
        const { code, stderr, stdout } = await runInProcess(
          ["import", path, ...series, ...more],
          env,
        );
        assert.equal(code, one.refused === undefined ? 0 : 1, stderr + stdout);
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(stderr + stdout, /[\0-\x09\x0b-\x1f\x7f]/);
        if (one.refused !== undefined) assert.match(stderr, one.refused);
        const { rows, covered } = await place.withDatabase(takeAll);
        assert.deepEqual(rows, (one.stored ?? []).map(plain));
        if (one.covered !== undefined) assert.deepEqual(covered, one.covered);
      });
    }
  });
}

/** All candles, which are then gone. */
export async function takeAll(
  { sql }: Database,
): Promise<Record<"rows" | "covered" | "series", readonly string[]>> {
  const rows = await sql.unsafe(
    `select (extract(epoch from time) * 1000)::bigint || ',' ||
    concat_ws(',', open, high, low, close, volume) as row from ohlcv order by time`,
  );
  const series = await sql.unsafe(
    "select distinct concat_ws(' ', exchange, symbol, timeframe) as name from ohlcv order by name",
  );
  for (const [name] of await sql.unsafe("select timeframe from timeframes").values()) {
    await sql.unsafe(`delete from "ohlcv_${name}"`);
  }
  const spans = await sql.unsafe(
    `delete from checkpoints returning array_to_json(array(select to_char(lower(range), 'HH24:MI') || '/' ||
    to_char(upper(range), 'HH24:MI') from unnest(covered) as range order by range)) as spans`,
  );
  return {
    rows: rows.map(({ row }) => String(row)),
    covered: spans.flatMap(({ spans }) => spans),
    series: series.map(({ name }) => String(name)),
  };
}

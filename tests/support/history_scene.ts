/** An archive of Binance's candles, and a local exchange that publishes files of them as well. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { BackfillReport } from "../../lib/fetch/backfill_report.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { openTestArchive } from "./local_archive.ts";
import { binance } from "./local_exchange/binance.ts";
import { binanceFiles, FILES_ENDPOINT, type FileTrouble } from "./local_exchange/binance_files.ts";
import { type LocalExchange, startLocalExchange } from "./local_exchange/faulty_exchange.ts";
import { START_MS, testClock } from "./test_clock.ts";
import { openAnyTest, openTestDatabase } from "./test_database.ts";

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;

export const [BTC] = LOCAL_SYMBOLS as readonly [LocalSymbol];

/** From the middle of November 2023 to the middle of March 2024: three whole months. */
const SINCE_MS = START_MS - 120 * DAY_MS;

/** Their files, newest first. */
export const MONTHS = [
  "BTCUSDT-5m-2024-02.zip",
  "BTCUSDT-5m-2024-01.zip",
  "BTCUSDT-5m-2023-12.zip",
] as const;

export interface HistoryScene {
  readonly exchange: LocalExchange;
  readonly database: Database;
  readonly run: (more?: Readonly<Record<string, string>>) => Promise<BackfillReport>;
  /** Names of the files that were asked for, checksums left out. */
  readonly filesAsked: () => readonly string[];
  /** Of the log of the last run. */
  readonly lines: () => readonly string[];
}

export interface SceneOptions {
  /** What is wrong with a file, by its name. */
  readonly trouble?: ((name: string) => FileTrouble | undefined) | undefined;
  readonly symbols?: readonly LocalSymbol[] | undefined;
  /** @default false: a server, if there is one */
  readonly isEmbedded?: boolean | undefined;
}

export async function withHistoryScene(
  { trouble, symbols = [BTC], isEmbedded = false }: SceneOptions,
  use: (scene: HistoryScene) => Promise<void>,
): Promise<void> {
  testClock.restart();
  const opened = isEmbedded ? await openTestDatabase("embedded") : await openAnyTest();
  assert(opened !== undefined);
  const { database } = opened;
  const exchange = await startLocalExchange({
    clock: testClock,
    symbols,
    dialect: [binance, binanceFiles(trouble)],
  });
  let lines: readonly string[] = [];
  try {
    await use({
      exchange,
      database,
      lines: () => lines,
      filesAsked: () =>
        exchange.requests.filter(({ endpoint }) => endpoint === FILES_ENDPOINT)
          .map(({ path }) => path.split("/").at(-1)!).filter((name) => name.endsWith(".zip")),
      run: async (more = {}) => {
        const archive = await openTestArchive(database, {
          EXCHANGES: "binance",
          SYMBOLS: "BTC/USDT",
          TIMEFRAMES: "5m",
          BACKFILL: "5m:120d",
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          ...more,
        });
        lines = archive.lines;
        const [report] = await backfill(archive, { patient: false });
        return report!;
      },
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
}

/** The archive has what the exchange has, and all of it is answered for. */
export async function assertTruth(
  { database, exchange }: HistoryScene,
  { symbol = "BTC/USDT", timeframe = "5m" } = {},
): Promise<void> {
  const stepMs = 5 * MINUTE_MS;
  const window = { sinceMs: SINCE_MS - SINCE_MS % stepMs, untilMs: START_MS - START_MS % stepMs };
  const isPriced = symbol.includes("@");
  const rows = await database.sql<Record<string, string | null>[]>`
    select concat_ws(' ', (extract(epoch from time) * 1000)::bigint, trim_scale(open), trim_scale(high),
                     trim_scale(low), trim_scale(close), trim_scale(volume)) as row
    from ohlcv_5m where symbol = ${symbol} order by time`;
  const truth = exchange.truth(symbol, parseTimeframe(timeframe), window).map((candle) => {
    const { openTimeMs, open, high, low, close, volume } = candle;
    // Nobody trades a price that is only worked out.
    const values = [open, high, low, close, ...isPriced ? [] : [volumeOf(symbol, volume)]];
    return [openTimeMs, ...values.map((text) => text.replace(/\.?0+$/, ""))].join(" ");
  });
  assert.equal(rows.length, truth.length);
  const wrong = rows.findIndex(({ row }, at) => row !== truth[at]);
  assert.deepEqual([rows[wrong]?.["row"], truth[wrong]], [undefined, undefined]);
  const [row] = await database.sql<{ owed: string }[]>`
    select (tstzmultirange(tstzrange(to_timestamp(${window.sinceMs / 1000}),
                                     to_timestamp(${
    window.untilMs / 1000 - 300
  }))) - covered)::text as owed
    from checkpoints where symbol = ${symbol} and timeframe = ${timeframe}`;
  assert.equal(row?.owed, "{}");
}

/** USD-M counts thousandths of a coin. */
function volumeOf(symbol: string, volume: string): string {
  return symbol.endsWith(":USDT") ? volume.slice(0, volume.indexOf(".") + 4) : volume;
}

/** `BTCUSDT-5m-2024-02.zip 64 8352`: the file, the digits of its hash, the candles that it added. */
export async function importsOf({ database }: HistoryScene): Promise<readonly string[]> {
  const rows = await database.sql<{ file: string; sha256: string | null; added: string }[]>`
    select file, sha256, added from imports order by file, id`;
  return rows.map(({ file, sha256, added }) =>
    `${file.split("/").at(-1)} ${sha256?.length ?? 0} ${added}`
  );
}

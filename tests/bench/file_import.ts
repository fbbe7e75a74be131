/** An import of files, from their bytes to their rows, against psql's \copy of the same rows into the same table. @module */
import { systemClock } from "../../lib/clock.ts";
import { candleAt } from "../../lib/local_exchange/price_walk.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { importFiles } from "../../lib/transfer/import_batch.ts";
import { parseNameTemplate } from "../../lib/transfer/name_template.ts";
import { emptyDatabase } from "../support/local_archive.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";
import { COLUMNS, psql } from "./end_to_end.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 0, 1);
const ROWS = 1_000_000;
const [SYMBOL] = LOCAL_SYMBOLS as readonly [LocalSymbol];
const FILES = 20;

/** As many as a server with two processors is given. */
const AT_ONCE = 2;

export const fileImport: Bench = {
  name: "o import of files",
  async run({ opened: { database, url }, scale }): Promise<readonly Result[]> {
    if (url === undefined) {
      console.error(`${this.name}: needs --server, because \\copy does`);
      return [];
    }
    const folder = await Deno.makeTempDir();
    const csv = `${folder}/copy.txt`;
    const each = Math.max(1_000, Math.round(ROWS * scale / FILES));
    try {
      const files = await writeFiles(folder, each);
      // The first time the chunks are made.
      await importAll(database, files);
      await emptyDatabase(database);
      const importedMs = await timeMs(() => importAll(database, files));
      await psql(url, `\\copy (select ${COLUMNS} from ohlcv_1m) to '${csv}' csv`);
      await database.sql`truncate ohlcv_1m`;
      const copiedMs = await timeMs(() =>
        psql(url, `\\copy ohlcv_1m (${COLUMNS}) from '${csv}' csv`)
      );
      const rows = each * FILES;
      return [{
        bench: this.name,
        value: Math.round(rows / importedMs * 1000),
        unit: "rows/s",
        ratio: copiedMs / importedMs,
        against: `psql \\copy of the same ${rows} rows, ${
          Math.round(rows / copiedMs * 1000)
        } rows/s`,
      }];
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

/** Files as Binance publishes them, each of another symbol. */
async function writeFiles(
  folder: string,
  rows: number,
): Promise<readonly { readonly path: string; readonly bytes: number }[]> {
  const files: { path: string; bytes: number }[] = [];
  for (let at = 0; at < FILES; at++) {
    const lines = Array.from({ length: rows }, (_, row) => {
      const openTimeMs = START_MS + row * MINUTE_MS;
      const { open, high, low, close, volume } = candleAt(SYMBOL, MINUTE, openTimeMs);
      const turnover = (Number(volume) * (Number(high) + Number(low)) / 2).toFixed(8);
      const taken = `${(Number(volume) / 2).toFixed(8)},${(Number(turnover) / 2).toFixed(8)}`;
      return `${openTimeMs},${open},${high},${low},${close},${volume},${
        openTimeMs + MINUTE_MS - 1
      },` +
        `${turnover},100,${taken},0\n`;
    });
    const path = `${folder}/C${at}-USDT-1m.csv`;
    const text = lines.join("");
    await Deno.writeTextFile(path, text);
    files.push({ path, bytes: text.length });
  }
  return files;
}

async function importAll(
  database: Database,
  files: Awaited<ReturnType<typeof writeFiles>>,
): Promise<void> {
  const [timescaledb] = await database.sql`select from pg_extension where extname = 'timescaledb'`;
  await importFiles(
    {
      config: { retry: { attempts: 1, minMs: 1, maxMs: 1 }, compressAfterMs: undefined },
      clock: systemClock,
      random: () => 0.5,
      open: () => Promise.resolve({ database, hasTimescaledb: timescaledb !== undefined }),
    },
    files,
    {
      format: {
        preset: "binance",
        nameTemplate: parseNameTemplate("{base}-{quote}-{timeframe}"),
        timeframe: "1m",
        knownExchanges: ["binance"],
      },
      sinceMs: undefined,
      untilMs: undefined,
      isComplete: false,
      replaces: false,
      reading: {},
      isAgain: true,
      atOnce: AT_ONCE,
      input: new ReadableStream(),
      signal: new AbortController().signal,
      onTaken: () => {},
      onRefused: (path, error) => {
        throw new Error(`Cannot import ${path}`, { cause: error });
      },
      onLeftOut: () => {},
      onProgress: () => {},
    },
  );
}

/** A backfill from request to row, against psql's \copy of the same rows into the same table. @module */
import { backfill } from "../../lib/fetch/backfill.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";
import { FAST_SERIES, fastSettings, startFastExchange } from "./program.ts";

const CANDLES = 2_000_000;

/** One after the other, odd: a machine that others share is not as quick at all times. */
const ROUNDS = 5;

export const COLUMNS = "time, exchange, symbol, open, high, low, close, volume";

export const endToEnd: Bench = {
  name: "a backfill end to end",
  async run({ opened: { database, url }, scale }): Promise<readonly Result[]> {
    if (url === undefined) {
      console.error(`${this.name}: needs --server, because \\copy does`);
      return [];
    }
    const hours = Math.max(2, Math.round(CANDLES * scale / FAST_SERIES / 60));
    const exchange = await startFastExchange();
    const csv = await Deno.makeTempFile({ suffix: ".csv" });
    try {
      const fill = async (): Promise<number> => {
        await emptyDatabase(database);
        await database.sql`truncate ohlcv_1m`.catch(() => {});
        const archive = await openTestArchive(database, {
          ...fastSettings(exchange),
          BACKFILL: `1m:${hours}h`,
          COMPRESS_AFTER: "off",
        });
        const [report] = await backfill(archive, { patient: false });
        return report?.added ?? 0;
      };
      // The first time the exchange makes its pages.
      await fill();
      const pairs: { rows: number; filledMs: number; copiedMs: number }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        let rows = 0;
        const filledMs = await timeMs(async () => rows = await fill());
        await psql(url, `\\copy (select ${COLUMNS} from ohlcv_1m) to '${csv}' csv`);
        await database.sql`truncate ohlcv_1m`;
        const copiedMs = await timeMs(() =>
          psql(url, `\\copy ohlcv_1m (${COLUMNS}) from '${csv}' csv`)
        );
        pairs.push({ rows, filledMs, copiedMs });
      }
      pairs.sort((a, b) => a.copiedMs / a.filledMs - b.copiedMs / b.filledMs);
      const { rows, filledMs, copiedMs } = pairs[(ROUNDS - 1) / 2]!;
      return [{
        bench: this.name,
        value: Math.round(rows / filledMs * 1000),
        unit: "rows/s",
        ratio: copiedMs / filledMs,
        against: `psql \\copy of the same ${rows} rows, ${
          Math.round(rows / copiedMs * 1000)
        } rows/s; the middle one of ${ROUNDS} rounds`,
      }];
    } finally {
      await exchange.stop();
      await Deno.remove(csv);
    }
  },
};

/** @throws Error when psql fails. */
export async function psql(url: string, command: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("psql", {
    args: [url, "-qc", command],
  }).output();
  if (!success) throw new Error(`Cannot run psql: ${new TextDecoder().decode(stderr)}`);
}

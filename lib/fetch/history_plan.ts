/** Plans what a backfill takes from published files. @module */
import { coverageCandles } from "../market/coverage.ts";
import { sumOf } from "../market/sum.ts";
import type { Owed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { chooseFiles, withoutFiles } from "./history_choice.ts";

/** The files of one exchange. */
export interface HistoryPlan {
  readonly exchange: string;
  /** Where they are. */
  readonly host: string;
  readonly files: number;
  /** Owed candles that they should bring. */
  readonly candles: number;
  /** About how long they take, beside the requests. Seconds. */
  readonly seconds: number;
}

/** Whether the files are there is seen when they are asked for. Sends nothing. */
export async function planHistory(
  { config, clock }: Archive,
  exchange: ArchivedExchange,
  { owed, markets }: { readonly owed: readonly Owed[]; readonly markets: Markets },
): Promise<{ readonly history: HistoryPlan | undefined; readonly left: readonly Owed[] }> {
  const nowMs = clock.now();
  const isLeftOut = (): boolean => false;
  const files = await chooseFiles({ config }, exchange, owed, { markets, nowMs, isLeftOut });
  const [first] = files;
  if (first === undefined) return { history: undefined, left: owed };
  const history = {
    exchange: exchange.id,
    host: first.host,
    files: files.length,
    candles: sumOf(files, ({ file, owed }) => coverageCandles(file.series.timeframe, owed)),
    seconds: sumOf(files, ({ ms }) => ms) / 1000,
  };
  return { history, left: withoutFiles(owed, files) };
}

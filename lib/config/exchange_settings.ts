/** What is set for one exchange: which candles are fetched from it, and how. @module */
import type { FundingSetting } from "./funding_setting.ts";
import type { HistorySetting } from "./history_setting.ts";
import { isStreamed, type LiveSetting } from "./live_setting.ts";
import { nominalReachMs, type Reach } from "./reach.ts";
import type { TimeframeReach } from "./setting.ts";
import type { Symbols } from "./symbols.ts";

export interface ExchangeSettings {
  readonly symbols: Symbols;
  /** What is polled. */
  readonly timeframes: readonly string[];
  /** How far back each timeframe reaches. */
  readonly backfill: readonly TimeframeReach[];
  /** Most candles per request; undefined for the exchange's own limit. */
  readonly pageLimit: number | undefined;
  /** How long each timeframe is kept. One that is not named is kept for ever. */
  readonly retention: readonly TimeframeReach[];
  /** Whether its candles are streamed, if it has a stream; see `isStreamed`. */
  readonly live: LiveSetting;
  /** Whether the funding rates of its perpetuals are kept, if it gives them. */
  readonly funding: FundingSetting;
  /** Whether candles are taken from the files that it publishes, if it does. */
  readonly history: HistorySetting;
}

/** The settings of all exchanges. */
export interface SettingsByExchange {
  /** Those of every exchange without own ones. */
  readonly everywhere: ExchangeSettings;
  /** By exchange id: those of exchanges with own ones, complete with what they share with the others. */
  readonly own: ReadonlyMap<string, ExchangeSettings>;
}

/** What is set for one exchange, also for one that is not archived. */
export function settingsOf(
  { everywhere, own }: SettingsByExchange,
  exchange: string,
): ExchangeSettings {
  return own.get(exchange) ?? everywhere;
}

/** Why candles of an exchange are not streamed, by the settings; undefined when they are, if it has a stream. */
export function unstreamedWhy(settings: SettingsByExchange, exchange: string): string | undefined {
  const { live } = settingsOf(settings, exchange);
  if (isStreamed(live, exchange)) return undefined;
  if (live !== "off") return "LIVE does not name it";
  return settings.everywhere.live === "off" ? "LIVE=off" : "its settings say live: off";
}

/** The timeframes that are polled or backfilled, without duplicates, in the configured order. */
export function archivedTimeframes(
  { timeframes, backfill }: Pick<ExchangeSettings, "timeframes" | "backfill">,
): readonly string[] {
  return [...new Set([...timeframes, ...backfill.map(({ timeframe }) => timeframe)])];
}

/** The same of all archived exchanges together. */
export function allTimeframes(
  config: SettingsByExchange & { readonly exchanges: readonly string[] },
): readonly string[] {
  const all = config.exchanges.flatMap((id) => archivedTimeframes(settingsOf(config, id)));
  return [...new Set(all)];
}

/** Of `BACKFILL` or `RETENTION`, the reach of one timeframe; undefined when it is not named. */
export function reachOf(
  reaches: readonly TimeframeReach[],
  timeframe: string,
): Reach | undefined {
  return reaches.find((one) => one.timeframe === timeframe)?.reach;
}

/** Whether everything that is fetched is also kept. */
export function keepsAll(
  { backfill, retention }: Pick<ExchangeSettings, "backfill" | "retention">,
): boolean {
  return retention.every(({ timeframe, reach }) => {
    const wanted = reachOf(backfill, timeframe);
    return wanted === undefined || nominalReachMs(wanted) <= nominalReachMs(reach);
  });
}

/** All sources of files that are known. @module */
import { EXCHANGE_PRESETS } from "./exchange_presets.ts";
import type { Preset } from "./preset.ts";
import { PROGRAM_PRESETS } from "./program_presets.ts";

export const PRESETS: readonly Preset[] = [...EXCHANGE_PRESETS, ...PROGRAM_PRESETS];

export const PRESET_NAMES: readonly string[] = PRESETS.map(({ name }) => name);

/** Names of files that hold something else, whatever their columns look like. */
const OTHERS: readonly { readonly form: RegExp; readonly what: string }[] = [
  // https://www.freqtrade.io/en/stable/data-download: funding rates in the columns of candles.
  { form: /-funding_rate$/, what: "funding rates" },
  // https://github.com/binance/binance-public-data
  { form: /-fundingRate-\d{4}-\d\d/, what: "funding rates" },
  { form: /-(?:aggTrades|trades)-\d{4}-\d\d/, what: "trades" },
  { form: /-(?:bookTicker|bookDepth)-\d{4}-\d\d/, what: "order books" },
  { form: /-metrics-\d{4}-\d\d/, what: "open interest" },
];

/** What a file holds by its name, if that is no candles. */
export function otherContent(name: string): string | undefined {
  return OTHERS.find(({ form }) => form.test(name))?.what;
}

/** The preset of a name. */
export function presetOf(name: string): Preset | undefined {
  return PRESETS.find((preset) => preset.name === name);
}

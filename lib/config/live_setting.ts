/** The setting `LIVE`: of which exchanges candles are streamed. @module */
import type { ConfigRules } from "./variable.ts";
import * as read from "./setting.ts";

/** The streamed exchanges, or all that have a stream. */
export type LiveSetting = "off" | "auto" | readonly string[];

/** Whether candles of an exchange are streamed, if it has a stream. */
export function isStreamed(live: LiveSetting, exchange: string): boolean {
  return live === "auto" || (live !== "off" && live.includes(exchange));
}

/** What an exchange's own entry in the file of settings may say. */
export const LIVE_WORDS = ["off", "auto"] as const;

/** `off`, `auto`, or exchanges. */
function liveSetting({ knownExchanges }: ConfigRules): read.Setting<LiveSetting> {
  return read.list(read.knownName(ALLOWED, [...knownExchanges, ...LIVE_WORDS]))
    .refine((all) => all.length === 1 || !LIVE_WORDS.some((word) => all.includes(word)), ALLOWED)
    .transform((all) => LIVE_WORDS.find((word) => all.includes(word)) ?? all);
}

const ALLOWED = "off, auto, or CCXT exchange ids separated by commas";

/** The row of the table of variables. */
export const LIVE = {
  name: "LIVE",
  default: "auto",
  meaning: "Exchanges whose candles are streamed as they close; auto for all that can, or off.",
  details: "A streamed candle is stored a moment after its close, and is provisional until an " +
    "answer of the exchange confirms, revises or withdraws it. Where EXCHANGE_<ID> names another " +
    "server and no urls.ws, nothing is streamed.",
  read: liveSetting,
} as const;

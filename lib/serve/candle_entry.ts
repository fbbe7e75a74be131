/** A candle as answers and events tell it. @module */
import type { Candle } from "../market/candle.ts";

/** Values are decimal texts. */
export interface CandleEntry extends Omit<Candle, "openTimeMs"> {
  /** ISO 8601 UTC. */
  readonly time: string;
}

export function candleEntry({ openTimeMs, ...values }: Candle): CandleEntry {
  return { time: new Date(openTimeMs).toISOString(), ...values };
}

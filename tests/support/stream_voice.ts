/** What one connection's side of an exchange hears and says in the tests. Apart from the program's own dialects. @module */

/** A text, or bytes of one that is packed. */
export type VoiceMessage = string | ArrayBuffer;

/** A market and the exchange's word for a timeframe. */
export interface VoiceTopic {
  readonly market: string;
  readonly interval: string;
}

/** `[openTimeMs, open, high, low, close, volume]` */
export type VoiceRow = readonly [number, string, string, string, string, string];

export interface CandleManner {
  /** @default false */
  readonly isClosed?: boolean;
  /** @default false */
  readonly isSnapshot?: boolean;
  /** What the exchange's clock shows. */
  readonly exchangeMs: number;
}

export interface Heard {
  readonly answers: readonly VoiceMessage[];
  readonly subscribed: readonly VoiceTopic[];
}

/** One connection's side of the exchange. */
export interface StreamVoice {
  /** Answers a client. Markets of `refused` are refused. */
  hear(text: string, refused: ReadonlySet<string>): Heard;
  candle(topic: VoiceTopic, row: VoiceRow, manner: CandleManner): VoiceMessage;
}

export const NOTHING: Heard = { answers: [], subscribed: [] };

export function json(value: unknown): string {
  return JSON.stringify(value);
}

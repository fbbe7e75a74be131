/** One thing that the doctor looked at, and how its findings are worded. @module */
import type { Symbols } from "../config/setting.ts";

/** One thing that was looked at. */
export interface Check {
  readonly check: string;
  readonly ok: boolean;
  /** Whether it could be better, though nothing is wrong. @default false */
  readonly isHint?: boolean;
  /** What was found. Of something wrong it ends with the command or the setting that mends it. */
  readonly message: string;
}

/** Clocks that differ by more are wrong. An answer's `Date` has whole seconds, and has been on its way. */
export const CLOCK_MS_MAX = 5_000;

/** `12 s ahead of`, `2.0 h behind`. */
export function clockText(aheadMs: number): string {
  const seconds = Math.abs(aheadMs) / 1000;
  const text = seconds < 120
    ? `${Math.round(seconds)} s`
    : seconds < 7_200
    ? `${Math.round(seconds / 60)} min`
    : `${(seconds / 3600).toFixed(1)} h`;
  return `${text} ${aheadMs > 0 ? "ahead of" : "behind"}`;
}

/** What is wrong, and then what mends it. */
export function sentences(wrong: string, mend: string): string {
  return `${wrong.replace(/[.\s]+$/, "")}. ${mend}`;
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** ISO 8601 UTC. */
export function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** `3 symbols`, `1 symbol`. */
export function counted(things: readonly unknown[], name: string): string {
  return `${things.length} ${name}${things.length === 1 ? "" : "s"}`;
}

/** The choice of symbols as it was written. */
export function topText({ count, quote }: Extract<Symbols, { kind: "top" }>): string {
  return `SYMBOLS=top:${count}${quote === undefined ? "" : `:${quote}`}`;
}

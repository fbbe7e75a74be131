/** The flags of `titan10 export`, and what those mean that all its formats have. @module */
import type { Numbers } from "../transfer/candle_parquet.ts";
import type { ExportRequest } from "../transfer/candle_export.ts";
import type { Compression } from "../transfer/compressed_output.ts";
import { EXIT } from "./shell.ts";

export interface ExportFlags {
  readonly what: "candles" | "gaps" | "revisions" | "funding";
  readonly output?: string;
  readonly format?: "csv" | "parquet" | "freqtrade";
  readonly compress?: Compression;
  readonly exchange?: readonly string[];
  readonly symbol?: readonly string[];
  readonly timeframe?: readonly string[];
  readonly since?: number;
  readonly until?: number;
  readonly finalOnly?: true;
  readonly provisional?: true;
  /** What `--provisional` was called. */
  readonly markProvisional?: true;
  readonly source: "exchange" | "merged" | "rollup";
  readonly merge: "primary" | "volume";
  readonly numbers?: Numbers;
  readonly quoteFormulas?: true;
}

/** Ends the command over a flag that it cannot follow. */
export interface FlagRefusal {
  error(message: string, options: { exitCode: number }): never;
}

/** Ends the command with the exit code of wrong usage. */
export function refuse(command: FlagRefusal, message: string): never {
  return command.error(`error: ${message}`, { exitCode: EXIT.usage });
}

/** Which markets and which range the flags choose. */
export function chosenBy(
  { exchange, symbol, since, until }: ExportFlags,
): Pick<ExportRequest, "exchanges" | "symbols" | "sinceMs" | "untilMs"> {
  return {
    exchanges: exchange ?? [],
    symbols: symbol ?? [],
    sinceMs: since ?? null,
    untilMs: until ?? null,
  };
}

/** The flags that only candles have. Undefined where none of these is given. */
export function candleFlag(flags: ExportFlags): string | undefined {
  return ([
    ["--final-only", flags.finalOnly !== undefined],
    ["--provisional", isMarked(flags)],
    [`--source ${flags.source}`, flags.source !== "exchange"],
    ["--numbers exact", flags.numbers === "exact"],
  ] as const).find(([, isGiven]) => isGiven)?.[0];
}

/** Whether candles of streams are wanted, too, with a column that tells them apart. */
export function isMarked({ provisional, markProvisional }: ExportFlags): boolean {
  return provisional === true || markProvisional === true;
}

/** `--since` and `--until` of `backfill` and `plan`: the range of this run, in the place of BACKFILL's. @module */
import type { Command } from "@commander-js/extra-typings";
import type { AskedRange } from "../archive/desire.ts";
import { ConfigError } from "../config/config.ts";
import type { Flags } from "./settings.ts";
import { timeFlag } from "./time_flag.ts";

/** Adds the flags. */
export function addRangeFlags(command: Command): void {
  command
    .option(
      "--since <time>",
      "start here instead of where BACKFILL starts: 2024-01-31 or 2024-01-31T12:00Z",
      timeFlag,
    )
    .option("--until <time>", "stop before this time", timeFlag);
}

/** The range that the flags ask for. @throws ConfigError when there is no time in it that has passed. */
export function askedRange(flags: Flags, { nowMs }: { readonly nowMs: number }): AskedRange {
  const [since, until] = [msOf(flags["since"]), msOf(flags["until"])];
  const refused = (variable: string, ms: number, allowed: string): ConfigError =>
    new ConfigError([{ variable, value: new Date(ms).toISOString(), allowed }]);
  if (until !== undefined && until > nowMs) {
    throw refused("--until", until, "a time that has passed; without it, up to the last candle");
  }
  if (since !== undefined && (since < 0 || since >= nowMs)) {
    throw refused("--since", since, "a time since 1970 that has passed");
  }
  if (until !== undefined && until <= (since ?? 0)) {
    throw refused(
      "--until",
      until,
      since === undefined ? "a time since 1970" : "a time after --since",
    );
  }
  return { sinceMs: since, untilMs: until };
}

function msOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

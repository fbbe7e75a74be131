/** Flags whose value is a duration. @module */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { durationMs } from "../config/setting.ts";

/** `90s` or `10m` in milliseconds: as long as a timer may be set for. */
export function durationFlag(text: string): number {
  const ms = durationMs(text) ?? 0;
  if (ms < 1 || ms > 2 ** 31 - 1) {
    throw new InvalidArgumentError("expected a duration, such as 90s or 10m");
  }
  return ms;
}

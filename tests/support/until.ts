/** Waits until something is so, and fails by name instead of waiting for ever. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";

/** Whatever is waited for comes within this time, also on a busy machine. */
const WAIT_MS_MAX = 120_000;

const LOOK_MS = 5;

interface UntilOptions {
  /** What there is instead, for the message. @default nothing is said of it */
  readonly instead?: (() => unknown) | undefined;
}

/** Resolves when `isSo`, and fails with what was waited for, and what there is instead, when that takes too long. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  { instead }: UntilOptions = {},
): Promise<void> {
  const endMs = systemClock.now() + WAIT_MS_MAX;
  while (!await isSo()) {
    if (systemClock.now() >= endMs) {
      const there = instead === undefined ? "" : `; instead: ${Deno.inspect(await instead())}`;
      assert.fail(`waited ${WAIT_MS_MAX / 1_000} s for ${what}${there}`);
    }
    await systemClock.sleep(LOOK_MS);
  }
}

/** What a command that is a node waits for. */
import assert from "node:assert/strict";
import { untilHandedOver } from "../../lib/daemon/command_node.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";

const signal = new AbortController().signal;

/** An archive whose server is away for so long. */
function awayFor(ms: number): Parameters<typeof untilHandedOver>[0] & { readonly nowMs: number } {
  let nowMs = 0;
  const clock = {
    now: () => nowMs,
    sleep: (ms: number) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const reach = (): Promise<void> =>
    nowMs >= ms ? Promise.resolve() : Promise.reject(new StoreError("unavailable", "away"));
  return {
    clock,
    database: { reach } as Parameters<typeof untilHandedOver>[0]["database"],
    get nowMs() {
      return nowMs;
    },
  };
}

Deno.test("a command waits for what comes to it, and not where nothing does", async () => {
  const archive = awayFor(40_000);
  const node = {
    get isWaiting(): boolean {
      return archive.nowMs < 40_000;
    },
  };
  await untilHandedOver(archive, { node, signal });
  assert.equal(archive.nowMs, 40_000);
  await untilHandedOver(archive, { node, signal });
  assert.equal(archive.nowMs, 40_000);
});

Deno.test("a command whose database stays away fails, and one that is stopped does not", async () => {
  const node = { isWaiting: true };
  await assert.rejects(untilHandedOver(awayFor(Infinity), { node, signal }), StoreError);
  await untilHandedOver(awayFor(Infinity), { node, signal: AbortSignal.abort() });
});

import assert from "node:assert/strict";
import { Bans } from "../../lib/exchange/bans.ts";
import { Lanes } from "../../lib/exchange/lanes.ts";
import { ManualClock } from "../support/manual_clock.ts";

const INTERVAL_MS = 1_000;

interface Scene {
  readonly clock: ManualClock;
  readonly lanes: Lanes;
  readonly ask: (host: string | undefined) => void;
  /** How many of the turns that were asked for have come. */
  readonly come: () => Promise<number>;
}

function scene(): Scene {
  const clock = new ManualClock();
  const lanes = new Lanes({ intervalMs: INTERVAL_MS, clock, bans: new Bans("binance", clock) });
  let come = 0;
  return {
    clock,
    lanes,
    ask: (host: string | undefined) => {
      void lanes.turn("live", { host, signal: undefined }).then(() => {
        lanes.charge(1, host);
        come++;
      });
    },
    come: async (): Promise<number> => {
      await clock.advance(0);
      return come;
    },
  };
}

Deno.test("hosts share one pace until it is known which of them the main one is", async () => {
  const { lanes, ask, come } = scene();
  ask("api.test");
  ask("fapi.test");
  ask(undefined);
  assert.equal(await come(), 1);
  assert.equal(lanes.nameOf("fapi.test"), "");
});

Deno.test("a host that is proved to be another one has a pace of its own, and all else the main one", async () => {
  const { clock, lanes, ask, come } = scene();
  lanes.noteMain("api.test");
  for (const host of ["api.test", "fapi.test", "dapi.test", undefined]) ask(host);
  assert.equal(await come(), 3, "what has no host waits for the main pace");
  assert.deepEqual(["api.test", "fapi.test", undefined].map((host) => lanes.nameOf(host)), [
    "",
    "fapi.test",
    "",
  ]);
  await clock.advance(INTERVAL_MS);
  assert.equal(await come(), 4);
});

Deno.test("what a request costs beside its turn is charged to the pace of its host", async () => {
  const { clock, lanes, ask, come } = scene();
  lanes.noteMain("api.test");
  lanes.charge(5, "fapi.test");
  ask("api.test");
  ask("fapi.test");
  assert.equal(await come(), 1);
  await clock.advance(5 * INTERVAL_MS);
  assert.equal(await come(), 2);
});

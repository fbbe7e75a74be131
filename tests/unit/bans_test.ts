import assert from "node:assert/strict";
import { Bans } from "../../lib/exchange/bans.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { ManualClock } from "../support/manual_clock.ts";

const MINUTE_MS = 60_000;
const SPOT = "api.test";
const LINEAR = "fapi.test";

interface Scene {
  readonly clock: ManualClock;
  readonly bans: Bans;
  /** Notes a ban of so many minutes. */
  readonly refuse: (host: string | undefined, minutes: number) => ReturnType<Bans["note"]>;
  readonly isOpen: (host?: string) => boolean;
}

function scene(): Scene {
  const clock = new ManualClock();
  const bans = new Bans("binance", clock);
  return {
    clock,
    bans,
    refuse: (host: string | undefined, minutes: number) =>
      bans.note(
        new FetchError("rate_limited", `${host} says no`, {
          untilMs: clock.now() + minutes * MINUTE_MS,
        }),
        host,
      ),
    isOpen: (host?: string): boolean => {
      try {
        bans.assertOpen(host);
        return true;
      } catch (error) {
        assert(error instanceof FetchError && error.kind === "rate_limited", String(error));
        return false;
      }
    },
  };
}

Deno.test("a host's ban bars requests to it and to no other, until it ends", async () => {
  const { clock, bans, refuse, isOpen } = scene();
  bans.answered(SPOT);
  assert.deepEqual(refuse(LINEAR, 2), {
    host: LINEAR,
    untilMs: clock.now() + 2 * MINUTE_MS,
    reason: "fapi.test says no",
  });
  assert.deepEqual([isOpen(LINEAR), isOpen(SPOT), isOpen()], [false, true, true]);
  assert.deepEqual(bans.inForce.map(({ host }) => host), [LINEAR]);
  await clock.advance(2 * MINUTE_MS);
  assert.deepEqual([isOpen(LINEAR), bans.inForce], [true, []]);
  assert.equal(bans.answered(LINEAR), true, "its first answer ends it");
  assert.equal(bans.answered(LINEAR), false);
});

Deno.test("requests to a host that is not known yet are barred while all that were asked have banned us", () => {
  const { clock, bans, refuse, isOpen } = scene();
  assert.equal(isOpen(), true);
  refuse(SPOT, 5);
  assert.equal(isOpen(), false);
  refuse(LINEAR, 2);
  assert.equal(isOpen(), false);
  assert.equal(bans.untilMsOf(undefined), clock.now() + 2 * MINUTE_MS, "when the first is open");
  assert.equal(bans.untilMs, clock.now() + 5 * MINUTE_MS, "until the last is over");
});

Deno.test("a stored ban of one host says nothing of the others, and one of no host bars all", () => {
  const one = scene();
  const untilMs = one.clock.now() + MINUTE_MS;
  one.bans.restore({ host: LINEAR, untilMs, reason: "418" });
  assert.deepEqual([one.isOpen(LINEAR), one.isOpen(SPOT), one.isOpen()], [false, true, true]);
  const all = scene();
  all.bans.restore({ host: undefined, untilMs, reason: "418" });
  assert.deepEqual([all.isOpen(LINEAR), all.isOpen(SPOT), all.isOpen()], [false, false, false]);
});

Deno.test("the error of a request that a ban has held back is no ban", () => {
  const { bans, refuse } = scene();
  refuse(LINEAR, 2);
  let held: unknown;
  try {
    bans.assertOpen(LINEAR);
  } catch (error) {
    held = error;
  }
  assert(held instanceof FetchError);
  assert.equal(bans.note(held, undefined), undefined);
  bans.assertOpen(SPOT);
});

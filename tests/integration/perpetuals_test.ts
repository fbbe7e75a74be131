/** A month of markets of every kind, of their other prices and of funding, from exchanges that often fail. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { Random } from "../faults/random.ts";
import { addRandomFaults } from "../support/local_exchange/random_faults.ts";
import {
  candleProblems,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  type PerpetualScene,
  withPerpetuals,
} from "../support/perpetual_scene.ts";
import { START_MS } from "../support/test_clock.ts";

const SHARE = 0.03;

/** The month, up to what may not be final yet. */
const MONTH = { sinceMs: floor(START_MS - 30 * DAY_MS) + HOUR_MS, untilMs: floor(START_MS) };
const DAYS = { sinceMs: START_MS - 2 * DAY_MS + MINUTE_MS, untilMs: floor(START_MS) };

for (const [at, id] of (["binance", "bybit", "okx", "gate"] as const).entries()) {
  Deno.test(`${id}: a month of every kind and price comes whole through three faults in a hundred answers`, async () => {
    await withPerpetuals(id, async (scene) => {
      const random = new Random(2_000 + at);
      const struck = addRandomFaults(scene.exchange.faults, {
        share: SHARE,
        random: () => random.next(),
      });
      const archive = await scene.open({ "1h": "30d", "1m": "2d" }, { PAGE_LIMIT: "90" });
      await archiveAll(scene, archive);
      assert(struck() > 10, `${struck()} faults`);
      const problems = await problemsOf(scene, { "1h": MONTH, "1m": DAYS });
      assert.deepEqual(problems, []);
    });
  });
}

/** Backfills and repairs, as a daemon's jobs would in some days. */
async function archiveAll(
  { clock }: PerpetualScene,
  archive: Awaited<ReturnType<PerpetualScene["open"]>>,
): Promise<void> {
  for (let round = 0; round < 4; round++) await backfill(archive, { patient: false });
  for (let round = 0; round < 12; round++) {
    await repairGaps(archive);
    clock.pass(3 * HOUR_MS);
  }
}

async function problemsOf(
  scene: PerpetualScene,
  windows: Readonly<Record<string, { readonly sinceMs: number; readonly untilMs: number }>>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [timeframe, window] of Object.entries(windows)) {
    for (const symbol of scene.symbols) {
      problems.push(...await candleProblems(scene, { symbol, timeframe, window }));
    }
  }
  return problems;
}

function floor(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS) * HOUR_MS;
}

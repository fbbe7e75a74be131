/** The page's table of nodes in a real browser. Chromium by CHROMIUM or on PATH. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { writeBan } from "../../lib/store/exchange_state.ts";
import { type Browser, findChromium, startChromium, type Tab } from "../support/chromium.ts";
import { joinNode } from "../support/joined_node.ts";
import { type RichArchive, serveRichArchive } from "../support/rich_archive.ts";

const CHROMIUM = await findChromium();
const SKIPPED = CHROMIUM === undefined
  ? " (skipped: no Chromium on PATH, CHROMIUM names none)"
  : "";

const HOSTILE_NAME = "<img src=x onerror=document.title=2>";
const LONG_NAME = `${"ip-10-0-0-1".repeat(9)}.eu-central-1.compute.internal:9464`;

const HOUR_MS = 3_600_000;

const HIDDEN = `document.querySelector("#nodes").hidden`;

/** The texts of each row. */
const ROWS = `[...document.querySelectorAll("#nodes-rows tr")].map((row) =>
  [...row.children].map((cell) => cell.textContent))`;

Deno.test({
  name: `the page shows nodes where there are several, and what is the matter with each${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage(t, async ({ archive: { database, server }, browser }) => {
      const open = async (): Promise<Tab> => {
        const tab = await browser.open(server.url);
        await tab.until(`document.querySelectorAll("#series-rows tr").length > 0`);
        return tab;
      };
      assert.equal(await (await open()).evaluate(HIDDEN), true, "no node");
      await joinNode(database, { egress: "db1", exchanges: ["bybit", "coinbase"] });
      const tab = await open();
      assert.equal(await tab.evaluate(HIDDEN), true, "one node does everything");

      await joinNode(database, { egress: "db2", exchanges: ["bybit"] });
      const gone = await joinNode(database, { egress: "db3", settingsHash: "own" });
      await database.sql`
        update nodes set until = clock_timestamp(), seen = clock_timestamp() - interval '5 min'
        where node = ${gone}::uuid`;
      await writeBan(database, { exchange: "bybit", egress: "db2" }, {
        ...{ host: undefined, untilMs: systemClock.now() + HOUR_MS, reason: "too many" },
      });
      // Without being loaded again.
      await tab.until(`document.querySelectorAll("#nodes-rows tr").length === 3 &&
        document.querySelector("#nodes-rows").textContent.includes("banned")`);
      assert.equal(await tab.evaluate(HIDDEN), false);
      const [leader, other, third] = await tab.evaluate<string[][]>(ROWS);
      assert.deepEqual(leader?.slice(0, 4), ["db1", "leads", "db1", "2"]);
      assert.deepEqual(other?.slice(0, 4), ["db2", "stands by", "db2", "1"]);
      assert.match(other?.at(-1) ?? "", /^bybit has banned db2 until /);
      assert.deepEqual(third?.slice(0, 2), ["db3", "gone"]);
      assert.match(third?.at(-1) ?? "", /^Not seen since .*Other nodes have its symbols/);
      const count = `document.querySelector("#nodes-count").textContent`;
      assert.equal(await tab.evaluate(count), "1 of 3 gone");
      assert.deepEqual(tab.errors, []);
    }),
});

Deno.test({
  name: `a node is shown by whatever name its host has, on every width${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage(t, async ({ archive: { database, server }, browser }) => {
      await joinNode(database, { egress: "db1" });
      await joinNode(database, { egress: LONG_NAME });
      await joinNode(database, { egress: HOSTILE_NAME, settingsHash: "own", settings: {} });
      for (const width of [1301, 861, 641, 320]) {
        const tab = await browser.open(server.url, { width, isPhone: width < 860 });
        await tab.until(`document.querySelectorAll("#nodes-rows tr").length === 3`);
        const wide = `document.documentElement.scrollWidth`;
        assert.equal(await tab.evaluate(wide), width);
        const names = (await tab.evaluate<string[][]>(ROWS)).map(([name]) => name);
        assert.deepEqual(names.toSorted(), [HOSTILE_NAME, "db1", LONG_NAME].toSorted());
        assert.equal(await tab.evaluate("document.title"), "Titan-10");
        assert.deepEqual(tab.errors, []);
      }
    }),
});

interface Scene {
  readonly archive: RichArchive;
  readonly browser: Browser;
}

async function withPage(
  t: Deno.TestContext,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const archive = await serveRichArchive({
    exchanges: ["binance", "bybit", "coinbase"],
    symbols: ["BTC/USDT"],
    timeframes: ["1d"],
    databaseKind: "postgres",
  });
  if (archive === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const browser = await startChromium(CHROMIUM!);
  try {
    await use({ archive, browser });
  } finally {
    await browser.close();
    await archive.close();
  }
}

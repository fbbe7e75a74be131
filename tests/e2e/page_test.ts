/** The page in a real browser, on the real daemon: Chromium by CHROMIUM or on PATH. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { type Browser, findChromium, startChromium, type Tab } from "../support/chromium.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { startManyExchanges } from "../support/many_exchanges.ts";
import { start } from "../support/program.ts";

const SERIES = 100;

/** Where the backfill has ended before the browser was there, the next candle of 1m is what changes. */
const A_CANDLE_AND_ITS_POLL_MS = 90_000;

const CHROMIUM = await findChromium();
const SKIPPED = CHROMIUM === undefined
  ? " (skipped: no Chromium on PATH, CHROMIUM names none)"
  : "";

const ROWS = `document.querySelectorAll("#series-rows tr:not([hidden])")`;

/** Rows that are out of sight are not made yet. */
const COUNT = `document.querySelector("#series-count").textContent`;

const FOCUS =
  `(({ id, textContent, ariaLabel }) => id || ariaLabel || textContent)(document.activeElement)`;

/** Two: one to lay out, one to draw. */
const FRAMES =
  "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))";

Deno.test({
  name: `a browser sees 100 series, opens a chart, and is told what changes${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage({}, async ({ url, browser }) => {
      const tab = await browser.open(url);
      await t.step("all series are on the page", () => tab.until(`${COUNT} === "${SERIES}"`));
      const shown = `performance.getEntriesByName("series shown")[0].startTime`;
      const shownMs = Math.round(await tab.evaluate<number>(shown));
      // Told, not judged: machines differ.
      await t.step(`that was ${shownMs} ms after the page began to load`, () => {});
      await t.step("every series has a bar that is also told in words", async () => {
        const labels = await tab.evaluate<string[]>(
          `[...document.querySelectorAll("#series-rows .bar")].map((bar) => bar.ariaLabel)`,
        );
        assert.ok(labels.length > 0);
        for (const label of labels) {
          assert.match(label, /^(?:2\d{3}-.* to 2\d{3}-.*: )?(?:\S+|< 0.1) % [a-z]/);
        }
      });
      await t.step("what is searched for is shown alone", async () => {
        await tab.evaluate(`document.querySelector("#search").focus()`);
        for (const key of "qaz 1m") await tab.press(key);
        await tab.until(`${ROWS}.length === 4`);
        await tab.evaluate(`document.querySelector("#search").select()`);
        await tab.press("%");
        await tab.until(`${ROWS}.length === 0`);
        await tab.evaluate(`(search.value = "", search.dispatchEvent(new Event("input")))`);
        await tab.until(`${COUNT} === "${SERIES}"`);
      });
      await t.step("new candles arrive without a reload", async () => {
        // Each of them, since a sum in thousands hides a hundred.
        const counts =
          `[...document.querySelectorAll("#series-rows td[data-name=Candles]")].map((cell) => cell.textContent).join()`;
        const before = JSON.stringify(await tab.evaluate(counts));
        await tab.until(`${counts} !== ${before}`, { patienceMs: A_CANDLE_AND_ITS_POLL_MS });
      });
      let seenMs = 0;
      await t.step("what happens is told without a reload", async () => {
        // As titan10 reload does it.
        const headers = { "titan10-request": "reload" };
        const response = await fetch(`${url}/reload`, { method: "POST", headers });
        await response.body?.cancel();
        const beganMs = systemClock.now();
        await tab.until(`document.querySelector("#events-list [data-kind=settings_reloaded]")`);
        seenMs = systemClock.now() - beganMs;
        assert.equal(
          await tab.evaluate(`document.querySelector("#alerts-count").textContent`),
          "No alert fires.",
        );
      });
      await t.step(`that was ${seenMs} ms later`, () => {});
      await tryKeyboard(t, tab);
      await t.step("nothing was asked of anybody else, and nothing went wrong", () => {
        assert.deepEqual(tab.requests.filter((request) => !request.startsWith(url)), []);
        assert.deepEqual(tab.errors, []);
      });
    }),
});

/** From here on nothing is clicked. */
async function tryKeyboard(t: Deno.TestContext, tab: Tab): Promise<void> {
  await t.step("the tab key reaches everything that can be used, in order", async () => {
    await tab.until(`(scrollTo(0, 1e6), document.querySelector("#series-more").hidden)`);
    assert.equal(await tab.evaluate(`${ROWS}.length`), SERIES);
    // By name: by state, rows change places while candles come.
    await tab.evaluate(`document.querySelector("#series-head th button").click()`);
    await tab.evaluate(FRAMES);
    const wanted = await tab.evaluate<string[]>(
      `[...document.querySelectorAll("a, button, input, select, [tabindex='0']")]
         .filter((one) => one.checkVisibility())
         .map(({ id, ariaLabel, textContent }) => id || ariaLabel || textContent)`,
    );
    await tab.evaluate(`document.querySelector(".skip").focus()`);
    const reached: string[] = [];
    while (reached.length < wanted.length) {
      reached.push(await tab.evaluate<string>(FOCUS));
      await tab.press("Tab");
    }
    assert.deepEqual(reached, wanted);
  });
  await t.step("a column is sorted by its button, and says so", async () => {
    await tab.evaluate(`document.querySelector("#series-head th:nth-child(2) button").focus()`);
    await tab.press("Enter");
    await tab.press("Enter");
    assert.deepEqual(
      await tab.evaluate(
        `[...document.querySelectorAll("#series-head th")].map(({ ariaSort }) => ariaSort)
           .filter((sort) => sort !== null).concat(
             document.querySelector("#series-head th:nth-child(2)").ariaSort)`,
      ),
      ["descending", "descending"],
    );
  });
  await t.step("a series opens its chart, in which keys move, and Escape leads back", async () => {
    await tab.evaluate(`document.querySelector("#series-rows button.open").focus()`);
    const opener = await tab.evaluate<string>(FOCUS);
    await tab.press("Enter");
    await tab.until(`document.querySelector("#chart-canvas canvas")`);
    await tab.until(`/O \\d.* C \\d/.test(document.querySelector("#chart-reading").textContent)`);
    assert.equal(await tab.evaluate(FOCUS), "chart-canvas");
    const label = `document.querySelector("#chart-canvas").ariaLabel`;
    const before = JSON.stringify(await tab.evaluate(label));
    for (let presses = 0; presses < 40; presses++) await tab.press("ArrowLeft");
    // Older candles have come.
    await tab.until(`${label} !== ${before}`);
    await tab.press("End");
    await tab.evaluate(FRAMES);
    const moved = JSON.stringify(await tab.evaluate(label));
    // All within one frame: the last of them alone would show no more than are there.
    await tab.evaluate(`for (let presses = 0; presses < 12; presses++) {
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "-" }));
    }`);
    await tab.until(`${label} !== ${moved}`);
    await tab.press("Escape");
    await tab.until(`!document.querySelector("#chart").open`);
    assert.equal(await tab.evaluate(FOCUS), opener);
  });
}

Deno.test({
  name: `a page that lacks the token asks for it, and keeps it for its tab${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: () =>
    withPage({ HTTP_TOKEN: "0123456789abcdef-titan10" }, async ({ url, browser }) => {
      const tab = await browser.open(url);
      await tab.until(`document.activeElement.id === "token"`);
      assert.equal(await tab.evaluate(`${ROWS}.length`), 0);
      await tab.press("x");
      await tab.press("Enter");
      await tab.until(`document.querySelector("#token-hint").textContent !== ""`);
      await tab.evaluate(`document.querySelector("#token").select()`);
      for (const key of "0123456789abcdef-titan10") await tab.press(key);
      await tab.press("Enter");
      await tab.until(`${ROWS}.length > 0`);
      await tab.reload();
      await tab.until(`${ROWS}.length > 0 && document.querySelector("#token-form").hidden`);
      assert.doesNotMatch(tab.requests.join(" "), /titan10$|0123456789abcdef/);
    }),
});

interface Scene {
  readonly url: string;
  readonly browser: Browser;
}

/** A daemon of four exchanges with 25 markets each, and a browser. */
async function withPage(
  env: Readonly<Record<string, string>>,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  await withAnyArchivePlace(async (place) => {
    const many = await startManyExchanges({ exchanges: 4, symbols: 25, clock: systemClock });
    const daemon = start(["run"], {
      cwd: place.folder,
      env: {
        ...place.env,
        ...many.settings,
        TIMEFRAMES: "1m",
        BACKFILL: "1m:1d",
        POLL_CRON: "*/5 * * * * *",
        HTTP_PORT: "0",
        ...env,
      },
    });
    const browser = await startChromium(CHROMIUM!);
    try {
      const [, url] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
      await daemon.waitFor(/"job":"poll"/);
      assert.ok(url !== undefined);
      await use({ url, browser });
    } finally {
      // With the page still listening: that keeps nothing from ending.
      daemon.kill("SIGTERM");
      const { code } = await daemon.ended;
      await browser.close();
      assert.equal(code, 143, daemon.stderr());
      for (const { local } of many.exchanges) await local.close();
    }
  });
}

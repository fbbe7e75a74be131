/** The page in a real browser: contrast, narrow screens, hostile texts, a chart's keys. Chromium by CHROMIUM or on PATH. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { shellWord } from "../../lib/text/shell_word.ts";
import { type Browser, findChromium, startChromium, type Tab } from "../support/chromium.ts";
import { type RichArchive, serveRichArchive } from "../support/rich_archive.ts";

const CHROMIUM = await findChromium();
const SKIPPED = CHROMIUM === undefined
  ? " (skipped: no Chromium on PATH, CHROMIUM names none)"
  : "";

/** Of WCAG 2.2, level AA, for text of any size. */
const CONTRAST_MIN = 4.5;

const HOSTILE_SYMBOL = "<svg/onload=document.title=1>";
const HOSTILE_ERROR = "<img src=x onerror=document.title=2><script>document.title=3</script>";

/** No exchange has longer ones. */
const LONG_SYMBOL = `${"W".repeat(40)}/USDT:USDT-271231-100000-C`;

const ROWS = `document.querySelectorAll("#series-rows tr")`;

Deno.test({
  name: `every text on the page can be read, in light and in dark${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage(async ({ archive, browser }) => {
      for (const isDark of [false, true]) {
        const tab = await openPage(browser, archive, { isDark });
        await t.step(`the page, ${isDark ? "dark" : "light"}`, async () => {
          const texts = await readTexts(tab, "body");
          const told = texts.map(({ text }) => text).join(" ");
          for (
            const seen of [
              "open",
              "left",
              "failure",
              "503 Service",
              "min ago",
              "Search",
              "Delisted",
            ]
          ) {
            assert.ok(told.includes(seen), `${seen} is not among ${texts.length} texts`);
          }
          assertContrast(texts);
        });
        await t.step(`a row that is pointed at, ${isDark ? "dark" : "light"}`, async () => {
          for (let row = 0; row < await tab.evaluate<number>(`${ROWS}.length`); row++) {
            await tab.evaluate(`${ROWS}[${row}].querySelector("button").focus()`);
            assertContrast(await readTexts(tab, `#series-rows tr:nth-child(${row + 1})`));
          }
        });
        await t.step(`the chart, ${isDark ? "dark" : "light"}`, async () => {
          await openChart(tab, "binance BTC/USDT 1m");
          await tab.until(`document.querySelector("#chart-gaps li")`);
          assertContrast(await readTexts(tab, "#chart"));
        });
        await t.step(`a command to copy, ${isDark ? "dark" : "light"}`, async () => {
          const button = `document.querySelector("#chart-copy")`;
          await tab.evaluate(`${button}.click()`);
          await tab.until(`/^(?:Copied|Selected)$/.test(${button}.textContent)`);
          const selected = await tab.evaluate(`getSelection().toString()`);
          assert.equal(selected, "titan10 forget binance:BTC/USDT");
        });
        assert.deepEqual(tab.errors, []);
      }
    }),
});

Deno.test({
  name:
    `nothing is wider than a narrow window or a phone, whatever an exchange calls its markets${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: () =>
    withPage(async ({ archive, browser }) => {
      await addSeries(archive, LONG_SYMBOL);
      await archive.database.sql`update exchanges set last_error = ${"x".repeat(900)}`;
      for (const width of [1301, 1001, 861, 641, 390, 320]) {
        const tab = await openPage(browser, archive, { width, isPhone: width < 860 });
        const tooWide = (inside: string): Promise<string[]> =>
          tab.evaluate(`[...document.querySelectorAll("${inside}")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > ${width} + 1)
            .map((one) => one.tagName + "." + one.className + ": " + one.textContent.slice(0, 40))`);
        assert.deepEqual([width, ...await tooWide("body > :not(.skip), main *:not(.hidden)")], [
          width,
        ]);
        assert.equal(await tab.evaluate(`document.documentElement.scrollWidth`), width);
        // What happened leaves the screen to the series.
        const eventsHeight = `document.querySelector(".events").offsetHeight`;
        assert.ok(await tab.evaluate<number>(eventsHeight) < 210);
        await openChart(tab, `binance ${LONG_SYMBOL} 1m`);
        // A shell takes whatever an exchange calls its market for one word.
        assert.equal(
          await tab.evaluate(`document.querySelector("#chart-forget").textContent`),
          `titan10 forget ${shellWord(`binance:${LONG_SYMBOL}`)}`,
        );
        await tab.until(`document.querySelector("#chart-canvas canvas")`);
        // The button that closes it is in its corner, beside the name.
        assert.ok(
          await tab.evaluate<number>(`document.querySelector("#chart-close").offsetTop`) < 30,
        );
        assert.deepEqual(await tooWide("#chart, #chart > *, #chart header *, #chart ul *"), []);
        const hidden = `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(chart)`;
        assert.equal(await tab.evaluate(hidden), 0);
      }
    }),
});

Deno.test({
  name:
    `keys reach all of a chart, and switch it to timeframes that are archived or worked out${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: () =>
    withPage(async ({ archive, browser }) => {
      const tab = await openPage(browser, archive);
      await openChart(tab, "binance BTC/USDT 1m");
      const notes = {
        "15m": /^Calculated from 1m: /,
        "1d": /^\d+ spans from /,
        "1m": /^\d+ spans/,
      };
      for (const [timeframe, says] of Object.entries(notes)) {
        const button = `[...document.querySelectorAll("#chart-timeframes button")]
          .find((one) => one.textContent === "${timeframe}")`;
        await tab.until(button);
        await tab.evaluate(`${button}.focus()`);
        await tab.press("Enter");
        await tab.until(
          `document.querySelector("#chart-canvas").ariaLabel.includes(" ${timeframe}, ") &&
           ${button}.ariaPressed === "true" && document.querySelector("#chart-reading").textContent`,
        );
        const focused = `document.activeElement.textContent`;
        assert.equal(await tab.evaluate(focused), timeframe);
        assert.match(
          await tab.evaluate(`document.querySelector("#chart-note").textContent`),
          says,
        );
      }
      await tab.until(`document.querySelectorAll("#chart-gaps button").length > 3`);
      const name = `({ id, ariaLabel, textContent }) => id || ariaLabel || textContent`;
      const there = (): Promise<string[]> =>
        tab.evaluate<string[]>(
          `[...document.querySelectorAll("#chart :is(button, input, select, [tabindex='0'])")]
             .filter((one) => one.checkVisibility()).map(${name})`,
        );
      // What an answer still brings may come while the keys are pressed: then they are pressed again.
      for (let wanted = await there();;) {
        await tab.evaluate(`document.querySelector("#chart-timeframes button").focus()`);
        const reached: string[] = [];
        while (reached.length < wanted.length) {
          reached.push(await tab.evaluate<string>(`(${name})(document.activeElement)`));
          await tab.press("Tab");
        }
        const before = wanted;
        wanted = await there();
        if (wanted.join() !== before.join()) continue;
        assert.deepEqual(reached, wanted);
        break;
      }
      assert.deepEqual(tab.errors, []);
    }),
});

Deno.test({
  name: `what an exchange says is shown as it was said, and is never run${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: () =>
    withPage(async ({ archive, browser }) => {
      await addSeries(archive, HOSTILE_SYMBOL);
      await archive.database.sql`update exchanges set last_error = ${HOSTILE_ERROR}`;
      await archive.database.sql`update checkpoints set last_error = ${HOSTILE_ERROR}`;
      await archive.database.sql`update alerts set summary = ${HOSTILE_ERROR}`;
      await archive.database
        .sql`update events set text = ${HOSTILE_ERROR}, times = 1, candles = null`;
      const tab = await openPage(browser, archive);
      const symbols =
        `[...document.querySelectorAll("#series-rows .open")].map((one) => one.textContent)`;
      assert.ok((await tab.evaluate<string[]>(symbols)).includes(HOSTILE_SYMBOL));
      await tab.until(
        `document.querySelector("#alerts-list .summary")?.textContent.startsWith("<")`,
      );
      for (
        const place of [
          "#exchanges .error .long",
          "#series-rows .why .long",
          "#alerts-list .summary",
          "#events-list li:first-child p",
        ]
      ) {
        const said = await tab.evaluate<string>(`document.querySelector("${place}").textContent`);
        assert.equal(said.slice(0, HOSTILE_ERROR.length), HOSTILE_ERROR);
      }
      await openChart(tab, `binance ${HOSTILE_SYMBOL} 1m`);
      const title = `document.querySelector("#chart-title").textContent`;
      assert.equal(await tab.evaluate(title), `binance ${HOSTILE_SYMBOL}`);
      await tab.until(`document.querySelector("#chart-canvas canvas")`);
      const strangers =
        `document.querySelectorAll("svg, img:not(.top img), script:not([src])").length`;
      assert.deepEqual([await tab.evaluate(strangers), await tab.evaluate("document.title")], [
        0,
        "Titan-10",
      ]);
      assert.deepEqual(tab.errors, []);
    }),
});

Deno.test({
  name:
    `alerts and events come and go by themselves, and one exchange's can be looked at alone${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage(async ({ archive, browser }) => {
      const { sql } = archive.database;
      const tab = await openPage(browser, archive);
      const count = `document.querySelector("#alerts-count").textContent`;
      const rows =
        `[...document.querySelectorAll("#events-list li")].map((one) => one.dataset.kind)`;
      await tab.until(`${count} === "2 alerts fire"`);
      await tab.until(`${rows}.length === 8`);
      let seenMs = 0;
      await t.step("an alert that ends is gone, and an event that comes is first", async () => {
        await sql`update alerts set ended = now()`;
        await sql`select titan10_note_event('alert_ended', 'coinbase', null, null, 'breaker_open', now(), now(), 1,
                                            null, 'Resolved', false)`;
        const beganMs = systemClock.now();
        await tab.until(`${rows}[0] === "alert_ended" && ${count} === "No alert fires."`);
        seenMs = systemClock.now() - beganMs;
      });
      await t.step(`that was seen ${seenMs} ms later`, () => {});
      const choose = (exchange: string): Promise<unknown> =>
        tab.evaluate(
          `(({ target }) => { target.value = "${exchange}"; target.dispatchEvent(new Event("change")) })(
          { target: document.querySelector("#events-exchange") })`,
        );
      await t.step("of one exchange, also what comes later", async () => {
        await choose("coinbase");
        await tab.until(`${rows}.join() === "alert_ended,alert_began,breaker_opened"`);
        for (const exchange of ["bybit", "coinbase"]) {
          await sql`select titan10_note_event('breaker_closed', ${exchange}, null, null, null, now(), now(), 1, null,
                                              'closed', false)`;
        }
        await tab.until(
          `${rows}.join() === "breaker_closed,alert_ended,alert_began,breaker_opened"`,
        );
      });
      await t.step("older ones are had by a button, down to the oldest", async () => {
        await sql`
          insert into events (kind, time, since, times, text)
          select 'imported', now() - n * interval '1 h', now() - n * interval '1 h', 1, 'file ' || n
          from generate_series(1, 60) as n`;
        await choose("");
        await tab.until(`${rows}.length === 50`);
        await tab.evaluate(`document.querySelector("#events-older").click()`);
        await tab.until(`${rows}.length === 71 && document.querySelector("#events-older").hidden`);
      });
      assert.deepEqual(tab.errors, []);
    }),
});

interface Scene {
  readonly archive: RichArchive;
  readonly browser: Browser;
}

async function withPage(use: (scene: Scene) => Promise<void>): Promise<void> {
  const archive = await serveRichArchive({
    exchanges: ["binance", "bybit", "coinbase"],
    symbols: ["BTC/USDT", "MATIC/USDT"],
    timeframes: ["1m", "1d"],
  });
  assert.ok(archive !== undefined);
  const browser = await startChromium(CHROMIUM!);
  try {
    await use({ archive, browser });
  } finally {
    await browser.close();
    await archive.close();
  }
}

async function openPage(
  browser: Browser,
  { server }: RichArchive,
  options: Parameters<Browser["open"]>[1] = {},
): Promise<Tab> {
  const tab = await browser.open(server.url, options);
  await tab.until(`${ROWS}.length > 0`);
  return tab;
}

async function openChart(tab: Tab, series: string): Promise<void> {
  const label = JSON.stringify(`${series}: open the chart`);
  await tab.evaluate(
    `[...document.querySelectorAll("button.open")].find((one) => one.ariaLabel === ${label}).click()`,
  );
  await tab.until(`document.querySelector("#chart").open`);
}

async function addSeries({ database }: RichArchive, symbol: string): Promise<void> {
  await database.sql`
    insert into checkpoints (exchange, symbol, timeframe) values ('binance', ${symbol}, '1m')`;
}

interface Text {
  readonly text: string;
  readonly contrast: number;
  readonly colours: string;
}

function assertContrast(texts: readonly Text[]): void {
  assert.notEqual(texts.length, 0);
  const [worst] = [...texts].sort((a, b) => a.contrast - b.contrast);
  assert.ok(
    worst !== undefined && worst.contrast >= CONTRAST_MIN,
    `${JSON.stringify(worst)} is below ${CONTRAST_MIN}`,
  );
}

/** The visible texts of a part of the page with the contrast to what is behind them; a placeholder is one, too. */
async function readTexts(tab: Tab, selector: string): Promise<readonly Text[]> {
  return await tab.evaluate(`(() => {
    const channels = (colour) => {
      const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
      return { alpha, light: [red, green, blue].map((value) => value / 255) };
    };
    const luminance = (colour) => {
      const [red, green, blue] = channels(colour).light.map((value) =>
        value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (one) => {
      const { backgroundColor } = getComputedStyle(one);
      if (channels(backgroundColor).alpha === 1) return backgroundColor;
      if (channels(backgroundColor).alpha > 0) throw new Error("half transparent: " + one.className);
      return behind(one.parentElement);
    };
    const told = (one, text, colour) => {
      const pair = [colour, behind(one)];
      const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
      return { text, contrast: (light + 0.05) / (dark + 0.05), colours: pair.join(" on ") };
    };
    const root = document.querySelector("${selector}");
    const texts = [...root.querySelectorAll("input")].filter((one) => one.checkVisibility()).map((one) =>
      told(one, one.placeholder, getComputedStyle(one, "::placeholder").color));
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement: one, data } = walker.currentNode;
      // What the chart draws itself is a canvas, and no text.
      if (data.trim() === "" || !one.checkVisibility() || /^(SCRIPT|NOSCRIPT)$/.test(one.tagName)) continue;
      texts.push(told(one, data.trim(), getComputedStyle(one).color));
    }
    return texts;
  })()`);
}

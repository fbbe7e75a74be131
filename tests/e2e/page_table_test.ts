/** The page's table in a real browser: a thousand series, the search, and the states of an archive. @module */
import assert from "node:assert/strict";
import { type Browser, findChromium, startChromium, type Tab } from "../support/chromium.ts";
import {
  type RichArchive,
  type RichArchiveOptions,
  serveRichArchive,
} from "../support/rich_archive.ts";

const CHROMIUM = await findChromium();
const SKIPPED = CHROMIUM === undefined
  ? " (skipped: no Chromium on PATH, CHROMIUM names none)"
  : "";

const SERIES = 1_000;

/** A screenful and what is just below it: the table makes no more at first, nor after a key. */
const ROWS_MAX = 120;

const ROWS = `document.querySelectorAll("#series-rows tr")`;
const COUNT = `document.querySelector("#series-count").textContent`;
const FOCUS =
  `(({ id, ariaLabel, textContent }) => id || ariaLabel || textContent)(document.activeElement)`;

Deno.test({
  name:
    `a thousand series open, are searched and are sorted without making a thousand rows${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage({}, async ({ archive, browser }) => {
      await addMany(archive);
      const tab = await browser.open(archive.server.url);
      const all = (SERIES + 3).toLocaleString("en");
      await t.step("all are counted, and those in sight are made", async () => {
        await tab.until(`${COUNT} === "${all}"`);
        assert.ok(await tab.evaluate<number>(`${ROWS}.length`) <= ROWS_MAX);
        assert.equal(
          await tab.evaluate(`document.querySelector("#series-table").ariaRowCount`),
          String(SERIES + 4),
        );
      });
      const shown = `performance.getEntriesByName("series shown")[0].startTime`;
      // Told, not judged: machines differ.
      await t.step(
        `that was ${Math.round(await tab.evaluate<number>(shown))} ms after the page began`,
        () => {},
      );
      const keysMs = await searchByKeys(tab);
      await t.step(`a key in the search took ${keysMs} ms at most, drawn`, () => {});
      await t.step(
        "/ leads to the search, words are found in any order, Esc clears it",
        async () => {
          await tab.evaluate(`document.activeElement.blur()`);
          await tab.press("/");
          assert.equal(await tab.evaluate(FOCUS), "search");
          for (const key of "usdt 1m c77/ binance") await tab.press(key);
          await tab.until(`${COUNT} === "1 of ${all}"`);
          assert.equal(
            await tab.evaluate(`${ROWS}[0].querySelector(".open").textContent`),
            "C77/USDT",
          );
          assert.match(
            await tab.evaluate(`search.value`),
            /c77\//,
            "/ is a letter while one types",
          );
          await tab.press("Escape");
          await tab.until(`${COUNT} === "${all}" && search.value === ""`);
        },
      );
      await t.step(
        "a column of numbers begins with its largest, and the browser remembers it",
        () => trySorting(tab),
      );
      await t.step(
        "an update touches what has changed, and takes no focus away",
        () => tryUpdate(tab, archive),
      );
      await t.step("further rows are made when they come into sight", async () => {
        const before = await tab.evaluate<number>(`${ROWS}.length`);
        await tab.until(`(scrollTo(0, 1e6), ${ROWS}.length > ${before} + 90)`);
        // Also where it stays in sight: few rows are left of a search, and then there are all again.
        await tab.evaluate(`(search.value = "c77", search.dispatchEvent(new Event("input")))`);
        await tab.evaluate(`(search.value = "", search.dispatchEvent(new Event("input")))`);
        await tab.until(
          `document.querySelector("#series-more").getBoundingClientRect().top > innerHeight`,
        );
      });
      assert.deepEqual(tab.errors, []);
    }),
});

/** The longest time from a key to the drawn rows. Milliseconds. */
async function searchByKeys(tab: Tab): Promise<number> {
  return await tab.evaluate(`(async () => {
    let most = 0;
    for (let length = 1; length <= 12; length++) {
      const began = performance.now();
      search.value = "c7 1m binance".slice(0, length);
      search.dispatchEvent(new Event("input"));
      document.body.getBoundingClientRect();
      most = Math.max(most, performance.now() - began);
      await new Promise((done) => requestAnimationFrame(done));
      if (${ROWS}.length > ${ROWS_MAX}) throw new Error(${ROWS}.length + " rows");
    }
    search.value = "";
    search.dispatchEvent(new Event("input"));
    return Math.round(most);
  })()`);
}

async function trySorting(tab: Tab): Promise<void> {
  const head =
    `[...document.querySelectorAll("#series-head button")].find((one) => one.textContent === "Candles")`;
  const counts =
    `[...${ROWS}].map((row) => Number(row.querySelector("[data-name=Candles]").textContent.replaceAll(",", "")))`;
  await tab.evaluate(`${head}.focus()`);
  await tab.press("Enter");
  const first = await tab.evaluate<number[]>(counts);
  assert.deepEqual(first, first.toSorted((a, b) => b - a));
  assert.ok(first[0]! > first.at(-1)!);
  assert.equal(await tab.evaluate(FOCUS), "Candles");
  await tab.reload();
  await tab.until(`${ROWS}.length > 0`);
  assert.equal(await tab.evaluate(`${head}.closest("th").ariaSort`), "descending");
  assert.deepEqual((await tab.evaluate<number[]>(counts)).slice(0, 20), first.slice(0, 20));
}

/** One series of a thousand gets the most candles of all, and so becomes the first row. */
async function tryUpdate(tab: Tab, { database }: RichArchive): Promise<void> {
  const label = await tab.evaluate<string>(`(() => {
    const button = ${ROWS}[7].querySelector(".open");
    button.focus();
    globalThis.touched = { rows: 0, all: 0 };
    new MutationObserver((records) => {
      for (const { type, target, addedNodes } of records) {
        touched.all++;
        if (type === "childList" && target.id === "series-rows") touched.rows += addedNodes.length;
      }
    }).observe(document.querySelector("#series-rows"), { subtree: true, childList: true, characterData: true, attributes: true });
    return button.ariaLabel;
  })()`);
  const symbol = label.split(" ")[1]!;
  await database.sql`update checkpoints set candles = 99999 where symbol = ${symbol}`;
  await tab.until(`${ROWS}[0].querySelector(".open").ariaLabel === ${JSON.stringify(label)}`);
  assert.equal(await tab.evaluate(FOCUS), label);
  const { rows, all } = await tab.evaluate<{ rows: number; all: number }>("touched");
  assert.ok(rows <= 2, `${rows} rows were moved`);
  // Ages and places of the rows that are made, and nothing of the other nine hundred.
  assert.ok(all < 8 * ROWS_MAX, `${all} changes`);
}

Deno.test({
  name:
    `an archive that is empty, fails, is away or comes back says so, and what is next${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage({}, async ({ archive, browser }) => {
      const { sql } = archive.database;
      const error = `Cannot fetch candles: 503 Service Unavailable ${"<busy> ".repeat(120)}`;
      await sql`insert into exchanges (exchange) values ('binance') on conflict do nothing`;
      await sql`update exchanges set breaker = 'open', last_error = ${error}, last_error_at = now()`;
      const tab = await browser.open(archive.server.url);
      await t.step("no exchange answers", async () => {
        await tab.until(`notices.textContent.includes("None of the 3 exchanges answers")`);
        assert.match(
          await tab.evaluate(`document.querySelector("#exchanges-count").textContent`),
          /^3 of 3 failing/,
        );
      });
      await t.step("a long error is there as a whole", async () => {
        const cell = `document.querySelector("#exchanges tr .error")`;
        assert.equal(await tab.evaluate(`${cell}.querySelector(".long").textContent`), error);
        const cut =
          `(({ scrollHeight, clientHeight }) => scrollHeight - clientHeight)(${cell}.querySelector(".long"))`;
        assert.ok(await tab.evaluate<number>(cut) > 0);
        await tab.evaluate(`${cell}.querySelector("button").focus()`);
        await tab.press("Enter");
        assert.equal(await tab.evaluate(cut), 0);
        assert.equal(await tab.evaluate(`document.activeElement.ariaExpanded`), "true");
      });
      await t.step("the status cannot be read, and can again", async () => {
        await sql`alter table checkpoints rename to checkpoints_away`;
        await tab.until(`document.body.dataset.state === "unread"`);
        assert.match(
          await tab.evaluate(TROUBLE),
          /^Cannot read the status: .* What is shown below is of \d{4}-/,
        );
        assert.ok(await tab.evaluate<number>(`${ROWS}.length`) > 0);
        await sql`alter table checkpoints_away rename to checkpoints`;
        await tab.until(`document.body.dataset.state === "live" && trouble.hidden`);
      });
      await t.step("the daemon is away, and comes back", async () => {
        await archive.server.stop();
        await tab.until(`document.body.dataset.state === "away"`);
        await tab.until(
          `/cannot be reached.* of \\d{4}-.*Last seen \\d+ s ago/.test(trouble.textContent)`,
        );
        assert.equal(await tab.evaluate(`document.activeElement.ariaExpanded`), "true");
        archive.serveAgain();
        await tab.until(`document.body.dataset.state === "live" && trouble.hidden`);
      });
      await t.step("nothing is archived yet", async () => {
        await sql`delete from checkpoints`;
        await sql`delete from jobs`;
        await sql`update exchanges set breaker = 'closed', banned_until = null, last_error = null, last_error_at = null`;
        await tab.until(
          `/Nothing is archived yet.*first poll .*binance, bybit and coinbase/.test(notices.textContent)`,
        );
      });
      // What the browser itself says of a server that is not there.
      assert.deepEqual(
        tab.errors.filter((one) =>
          !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_CONNECTION/.test(one)
        ),
        [],
      );
    }),
});

const TROUBLE = `document.querySelector("#trouble-text").textContent`;

/** A thousand series of one exchange: the ledger tells of them, and what each holds differs. */
async function addMany({ database: { sql } }: RichArchive): Promise<void> {
  await sql`
    insert into checkpoints (exchange, symbol, timeframe, covered, scanned, candles, first, last, first_confirmed)
    select 'binance', 'C' || n || '/USDT', '1m', tstzmultirange(range), tstzmultirange(range), 2000 + n,
           lower(range), upper(range) - interval '1 minute', lower(range)
    from generate_series(1, ${SERIES}::int) as n,
         tstzrange(date_trunc('minute', now()) - interval '7 days', date_trunc('minute', now())) as range`;
}

interface Scene {
  readonly archive: RichArchive;
  readonly browser: Browser;
}

async function withPage(
  options: Partial<RichArchiveOptions>,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const archive = await serveRichArchive({
    exchanges: ["binance", "bybit", "coinbase"],
    symbols: ["BTC/USDT"],
    timeframes: ["1m"],
    ...options,
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

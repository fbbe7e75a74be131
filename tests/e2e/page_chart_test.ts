/** The page's chart in a real browser: links, dates, ranges, time zones, ticks, other exchanges, failures. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { type Browser, findChromium, startChromium, type Tab } from "../support/chromium.ts";
import { type RichArchive, serveRichArchive } from "../support/rich_archive.ts";

const CHROMIUM = await findChromium();
const SKIPPED = CHROMIUM === undefined
  ? " (skipped: no Chromium on PATH, CHROMIUM names none)"
  : "";

/** A day with candles of the minute, the last but one. */
const DAY = "2024-03-01";

const DAY_MS = 86_400_000;

/** Of all that can be in a symbol. */
const ODD_SYMBOL = "币 #1.5%/USDT:USDT-261231@m";

/** What the chart draws is a canvas: what it writes there, and how far each line of another exchange goes at once. */
const RECORD = `(() => {
  const { fillText, lineTo, moveTo } = CanvasRenderingContext2D.prototype;
  globalThis.written = new Set();
  globalThis.steps = [];
  let from = 0;
  Object.assign(CanvasRenderingContext2D.prototype, {
    fillText(text, ...place) { written.add(text); return fillText.call(this, text, ...place); },
    moveTo(x, y) { from = Number.isFinite(y) ? x : from; return moveTo.call(this, x, y); },
    lineTo(x, y) {
      if (this.strokeStyle === "#0b57d0") steps.push(x - from);
      from = Number.isFinite(y) ? x : from;
      return lineTo.call(this, x, y);
    },
  });
})()`;

const READING = `document.querySelector("#chart-reading").textContent`;
const STATE = `document.querySelector("#chart-state").textContent`;
const HASH = `decodeURIComponent(location.hash)`;

Deno.test({
  name:
    `a chart stands where its link, its tools or its user put it, and says what fails${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withArchive(async ({ archive, browser }) => {
      await addSun(archive);
      await addTicks(archive);
      const url = `${archive.server.url}/#binance/SUN/USDT/1m@${DAY}T12:30`;
      const tab = await browser.open(url, { script: RECORD });
      await t.step(
        "a link opens the candle that it names, and moving changes it",
        () => tryLink(tab),
      );
      await t.step("back and forward lead through what was open", () => tryHistory(tab));
      await t.step(
        "the keyboard alone goes to a date and chooses a range",
        () => tryKeyboard(tab),
      );
      await t.step(
        "the candle that forms moves, and one that is not confirmed is drawn apart",
        () => tryForming(browser, archive),
      );
      await t.step(
        "a time zone holds for all but the address, and is remembered",
        () => tryZone(tab),
      );
      await t.step(
        "another exchange is a line with a reading, and no line over what is missing",
        () => tryOthers(tab),
      );
      await t.step(
        "what fails is said, with what to do, and goes on by itself",
        () => tryFailures(tab),
      );
      assert.deepEqual(tab.errors, []);
      await t.step(
        "prices have the ticks of their market, whatever is in a symbol",
        () => tryTicks(tab),
      );
      await t.step("a link to what is not there says what is near", () => tryUnknown(tab));
    }),
});

async function tryLink(tab: Tab): Promise<void> {
  await tab.until(`${READING}.startsWith("${DAY} 12:30   O ")`);
  await settle(tab);
  assert.equal(await tab.evaluate(HASH), `#binance/SUN/USDT/1m@${DAY}T12:30`);
  assert.equal(await tab.evaluate(`document.querySelector("#chart-from").value`), `${DAY} 11:15`);
  for (let presses = 0; presses < 3; presses++) await tab.press("ArrowLeft");
  await tab.until(`${HASH} === "#binance/SUN/USDT/1m@${DAY}T12:00"`);
  // More than what was loaded at first, to either side.
  for (let presses = 0; presses < 9; presses++) await tab.press("ArrowRight", { isShifted: true });
  await tab.until(
    `${HASH} === "#binance/SUN/USDT/1m@${DAY}T12:00" ? false : ${HASH}.includes("T")`,
  );
  await tab.press("End");
  await tab.until(`${HASH} === "#binance/SUN/USDT/1m"`);
}

async function tryHistory(tab: Tab): Promise<void> {
  await tab.evaluate(`[...document.querySelectorAll("#chart-timeframes button")]
    .find((one) => one.textContent === "1d").click()`);
  await tab.until(`${HASH} === "#binance/SUN/USDT/1d" && ${READING} !== ""`);
  await tab.evaluate(`location.hash = "#kraken/SUN/USD/1h@${DAY}"`);
  await tab.until(`document.querySelector("#chart-title").textContent === "kraken SUN/USD"`);
  await tab.evaluate(`document.querySelector("#chart-close").click()`);
  await tab.until(`location.hash === "" && !document.querySelector("#chart").open`);
  for (
    const [move, title] of [
      ["back", "kraken SUN/USD"],
      ["back", "binance SUN/USDT"],
      ["forward", "kraken SUN/USD"],
      ["back", "binance SUN/USDT"],
    ]
  ) {
    await tab.evaluate(`history.${move}()`);
    await tab.until(
      `document.querySelector("#chart").open && document.querySelector("#chart-title").textContent === "${title}"`,
    );
  }
  assert.equal(await tab.evaluate(HASH), "#binance/SUN/USDT/1d");
  await tab.evaluate("history.back()");
  await tab.until(`${HASH} === "#binance/SUN/USDT/1m" && ${READING} !== ""`);
}

async function tryKeyboard(tab: Tab): Promise<void> {
  await tab.until(`${READING} !== ""`);
  await tab.evaluate(`document.querySelector("#chart-canvas").focus()`);
  const write = async (text: string): Promise<void> => {
    for (const key of text) await tab.press(key);
    await tab.press("Enter");
  };
  await tab.press("g");
  await write("2024-02-31");
  await tab.until(`document.querySelector("#chart-hint").textContent ===
    "Cannot read the date 2024-02-31: write it as 2024-03-01, 2024-03-01 12:30 or 2024-03."`);
  await tab.evaluate(`document.activeElement.select()`);
  await write(`${DAY} 06:20`);
  await tab.until(`${READING}.startsWith("${DAY} 06:20   O ")`);
  assert.equal(await tab.evaluate(HASH), `#binance/SUN/USDT/1m@${DAY}T06:20`);
  assert.equal(await tab.evaluate("document.activeElement.id"), "chart-canvas");
  await settle(tab);
  await tab.evaluate(
    `document.querySelector("#chart-ranges [aria-label='All that is stored']").focus()`,
  );
  await tab.press("Enter");
  await tab.until(`${HASH} === "#binance/SUN/USDT/1d" && ${READING} !== ""`);
  await settle(tab);
  const [from = "", to = ""] = await fields(tab);
  assert.ok(Date.parse(to) - Date.parse(from) > 1_800 * DAY_MS, `${from} ${to}`);
  await tab.evaluate(`document.querySelector("#chart-from").select(),
    document.querySelector("#chart-from").focus()`);
  for (const key of `${DAY} 10:00`) await tab.press(key);
  await tab.press("Tab");
  await write(`${DAY} 13:00`);
  await tab.until(`/ 13:00 {3}O/.test(${READING})`);
  await settle(tab);
  await tab.evaluate(`document.querySelector("#chart-canvas").focus()`);
  assert.deepEqual(await fields(tab), [`${DAY} 10:00`, `${DAY} 13:00`]);
  // Before all that is stored.
  await tab.press("g");
  await tab.evaluate(`document.activeElement.select()`);
  await write("1999");
  await tab.until(`/^Nothing is stored before .* Shown is the beginning.$/.test(${STATE})`);
}

async function tryZone(tab: Tab): Promise<void> {
  await tab.evaluate(`location.hash = "#binance/SUN/USDT/1m@${DAY}T12:30"`);
  await tab.until(`${READING}.startsWith("${DAY} 12:30   O ")`);
  await settle(tab);
  const choose = (zone: string): Promise<void> => chooseZone(tab, zone);
  await tab.evaluate("written.clear()");
  await choose("Australia/Darwin");
  await tab.until(`/ UTC\\+9:30 {3}O/.test(${READING})`);
  await settle(tab);
  assert.equal(await tab.evaluate(HASH), `#binance/SUN/USDT/1m@${DAY}T12:30`);
  assert.deepEqual(await fields(tab), [`${DAY} 20:45`, `${DAY} 23:15`]);
  assert.match(
    await tab.evaluate(`document.querySelector("#chart-note").textContent`),
    /UTC\+9:30/,
  );
  const written = await tab.evaluate<string[]>("[...written]");
  assert.ok(written.includes("21:00") && written.includes("22:00"), written.join());
  await tab.reload();
  await tab.until(`/^.{10} 22:00 UTC\\+9:30 {3}O/.test(${READING})`);
  await choose("UTC");
}

function chooseZone(tab: Tab, zone: string): Promise<void> {
  return tab.evaluate(`(() => {
    const select = document.querySelector("#chart-zone");
    select.value = "${zone}";
    select.dispatchEvent(new Event("change"));
  })()`);
}

async function tryOthers(tab: Tab): Promise<void> {
  const buttons = `[...document.querySelectorAll("#chart-others button")]`;
  const names = `${buttons}.map((one) => one.children[1].textContent)`;
  // The same symbol first, then other dollars.
  assert.deepEqual(await tab.evaluate(names), [
    "bybit SUN/USDT",
    "coinbase SUN/USD",
    "kraken SUN/USD",
  ]);
  await tab.evaluate(`location.hash = "#binance/SUN/USDT/1m@${DAY}T12:00"`);
  await tab.until(`${READING}.startsWith("${DAY} 12:00   O ")`);
  await settle(tab);
  await tab.evaluate(`${buttons}[0].focus()`);
  await tab.press("Enter");
  await tab.until(`/^[\\d.]+ \\([+−±][\\d.]+ %\\)$/.test(${buttons}[0].children[2].textContent)`);
  assert.equal(await tab.evaluate(`${buttons}[0].ariaPressed`), "true");
  // Far enough that what is missing from noon on is in view.
  await tab.evaluate(`document.querySelector("#chart-canvas").focus()`);
  for (let presses = 0; presses < 7; presses++) await tab.press("-");
  await settle(tab);
  await tab.evaluate("void steps.splice(0)");
  await tab.press("ArrowLeft");
  await tab.until("steps.length > 300");
  const [most = 0, least = 0] = await tab.evaluate<number[]>(
    "[Math.max(...steps), Math.min(...steps.filter((step) => step > 0))]",
  );
  assert.ok(least > 0 && most < 1.01 * least, `${least} to ${most}`);
  await tab.evaluate(`${buttons}[0].click()`);
  await tab.until(`${buttons}[0].children[2].textContent === ""`);
}

async function tryFailures(tab: Tab): Promise<void> {
  await tab.evaluate(`(globalThis.realFetch = fetch, globalThis.asked = 0)`);
  const answer = (text: string): Promise<void> =>
    tab.evaluate(`void (fetch = (url, ...rest) => {
      if (!String(url).startsWith("/candles")) return realFetch(url, ...rest);
      asked++;
      return ${text};
    })`);
  const response = (status: number, error: string, headers = "{}"): string =>
    `Promise.resolve(new Response('{"error":"${error}"}', { status: ${status}, headers: ${headers} }))`;
  const shows = async (hash: string, text: RegExp): Promise<void> => {
    await tab.evaluate(`location.hash = "${hash}"`);
    await tab.until(`${text}.test(${STATE})`);
  };
  await answer(response(500, "Cannot read candles"));
  await shows(
    "#binance/SUN/USDT/1h",
    /^The candles cannot be shown \(500\)Cannot read candles\. .*Try again$/,
  );
  // Where the daemon is heard meanwhile, the chart asks again, and fails again.
  await tab.until(`document.querySelector("#chart-state").role === "alert"`);
  await answer(response(401, "A token is required"));
  await shows("#binance/SUN/USDT/1d", /^The token is not accepted.*HTTP_TOKEN.*Enter the token$/);
  await answer(`Promise.reject(new TypeError("Failed to fetch"))`);
  await shows(
    "#binance/SUN/USDT/1m",
    /^The daemon cannot be reached.*goes on by itself\.Try again$/,
  );
  await answer(`realFetch(url, ...rest)`);
  // Unless the daemon has told of itself in the meantime.
  await tab.evaluate(`document.querySelector("#chart-act")?.click()`);
  await tab.until(`document.querySelector("#chart-state").hidden && ${READING} !== ""`);
  await answer(response(503, "Too many ask", `{ "retry-after": "1" }`));
  await shows(
    `#binance/SUN/USDT/1m@${DAY}`,
    /^The daemon cannot answer nowToo many ask. This chart asks again in 1 s\./,
  );
  const asked = await tab.evaluate<number>("asked");
  await answer(`realFetch(url, ...rest)`);
  await tab.until(`${READING}.startsWith("${DAY}   O ")`);
  assert.ok(asked < await tab.evaluate<number>("asked"));
}

async function tryTicks(tab: Tab): Promise<void> {
  for (
    const [symbol, reading, mark, volume] of [
      // Nothing is known of the contract: neither is its unit.
      [ODD_SYMBOL, "O 0.0000000001   H 0.0000000042", /^0\.\d{10}$/, "V 1,234,567.5"],
      ["YEN/JPY", "O 100000   H 4200000", /^\d{6,7}$/, "V 1,234,567.5 YEN"],
    ] as const
  ) {
    const hash = `#binance/${encodeURIComponent(symbol)}/1m@${DAY}`;
    await tab.evaluate(`written.clear(), location.hash = "${hash}"`);
    await tab.until(`${READING}.includes(${JSON.stringify(reading)})`);
    await settle(tab);
    const told = await tab.evaluate<string>(READING);
    assert.ok(told.includes(reading) && told.endsWith(volume), told);
    const title = `document.querySelector("#chart-title").textContent`;
    assert.equal(await tab.evaluate(title), `binance ${symbol}`);
    assert.equal(await tab.evaluate(HASH), `#binance/${symbol}/1m@${DAY}`);
    const marks = (await tab.evaluate<string[]>("[...written]")).filter((text) => mark.test(text));
    assert.ok(marks.length > 3, (await tab.evaluate<string[]>("[...written]")).join());
    assert.deepEqual(tab.errors, []);
  }
}

async function tryUnknown(tab: Tab): Promise<void> {
  await tab.evaluate(`location.hash = "#binance/SUN/USD/1m@${DAY}"`);
  await tab.until(
    `/^There is no such seriesbinance SUN\\/USD 1m is not in this archive/.test(${STATE})`,
  );
  assert.equal(await tab.evaluate("document.activeElement.textContent"), "binance SUN/USDT 1m");
  await tab.press("Enter");
  await tab.until(`${HASH} === "#binance/SUN/USDT/1m" && ${READING} !== ""`);
  await tab.evaluate(`location.hash = "#binance/SUN/USDT/7m"`);
  await tab.until(`/not archived in 7m, only in 1m, .*binance SUN.USDT 1m/.test(${STATE})`);
  await tab.evaluate(`location.hash = "#binance/SUN/USDT/1m@soon"`);
  await tab.until(`/^Cannot read the date soon of this link/.test(${STATE})`);
}

interface NewSeries {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: "1m" | "1h" | "1d";
  readonly since: string;
  readonly candles: number;
  /** All prices are multiples of it. */
  readonly step: string;
  /** From this candle on sixty are missing. */
  readonly hole?: number;
}

async function tryForming(browser: Browser, archive: RichArchive): Promise<void> {
  const { sql } = archive.database;
  const tab = await browser.open(`${archive.server.url}/#binance/BTC/USDT/1m`);
  await tab.until(`/ C /.test(${READING})`);
  const shown = (id: string): string => `document.querySelector("#legend-${id}").checkVisibility()`;
  assert.deepEqual(
    [await tab.evaluate(shown("provisional")), await tab.evaluate(shown("forming"))],
    [
      false,
      false,
    ],
  );
  // A minute ahead, so that it forms also when this minute ends meanwhile.
  const openTimeMs = Math.floor(systemClock.now() / 60_000 + 1) * 60_000;
  const form = (close: string): void => {
    const values = { open: "64000.00", high: "65000.00", low: "63000.00", close, volume: "1" };
    archive.forming = { candle: { openTimeMs, ...values }, toldMs: openTimeMs };
  };
  form("64100.50");
  await tab.until(`/ C 64100.50 .*forming$/.test(${READING}) && ${shown("forming")}`);
  form("64222.25");
  await tab.until(`/ C 64222.25 .*forming$/.test(${READING})`);
  // Another view of the same series has it at once: it may not change for long.
  for (const zone of ["Australia/Darwin", "UTC"]) {
    await chooseZone(tab, zone);
    const hour = zone === "UTC" ? "" : " UTC\\+9:30";
    await tab.until(`/:\\d\\d${hour} .* C 64222.25 .*forming$/.test(${READING})`);
  }
  // What is asked again and again is the feed alone, once for each series in view.
  assert.equal(tab.requests.filter((url) => url.includes("/events?")).length, 1);
  // It closes, and more after it: the stream's candles are stored, and an answer has not come yet.
  const [since, until] = [openTimeMs / 1000, openTimeMs / 1000 + 8 * 60];
  const newest = until - 60;
  await sql`insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
    select to_timestamp(t), 'binance', 'BTC/USDT', 64000, 65000, 63000, 64222.25, 1
    from generate_series(${since}::int, ${newest}::int, 60) as t`;
  await sql`update checkpoints set last = to_timestamp(${newest}), candles = candles + 8,
      unsettled = tstzmultirange(tstzrange(to_timestamp(${since}), to_timestamp(${until}))),
      streamed = tstzmultirange(tstzrange(to_timestamp(${since}), to_timestamp(${until})))
    where exchange = 'binance' and symbol = 'BTC/USDT' and timeframe = '1m'`;
  archive.forming = undefined;
  await tab.until(`${shown("provisional")} && !${shown("forming")}`);
  await tab.until(`/ C 64222.25 .*provisional$/.test(${READING})`);
  const row = `document.querySelector('[aria-label^="binance BTC/USDT 1m:"]').closest("tr")`;
  await tab.until(`${row}.querySelector(".provisional")?.textContent.endsWith(", streamed")`);
  // An answer confirms them all but the newest, which it takes back.
  await sql`delete from ohlcv_1m
    where exchange = 'binance' and symbol = 'BTC/USDT' and time = to_timestamp(${newest})`;
  await sql`update checkpoints set covered = covered + unsettled, unsettled = '{}', streamed = '{}',
      last = to_timestamp(${newest - 60}), candles = candles - 1
    where exchange = 'binance' and symbol = 'BTC/USDT' and timeframe = '1m'`;
  await tab.until(`!${row}.querySelector(".provisional") && !${shown("provisional")}`);
  const last = new Date((newest - 60) * 1_000).toISOString().slice(0, 16).replace("T", " ");
  await tab.until(`${READING}.startsWith("${last} ")`);
  await tab.evaluate(`document.querySelector("#chart-close").click()`);
  assert.deepEqual(tab.errors, []);
}

/** A coin that was traded long ago: on four exchanges, on one of them with a hole. */
async function addSun({ database }: RichArchive): Promise<void> {
  for (
    const [exchange, symbol, hole] of [
      ["binance", "SUN/USDT"],
      ["bybit", "SUN/USDT", 2_170],
      ["coinbase", "SUN/USD"],
      ["kraken", "SUN/USD"],
    ] as const
  ) {
    const minutes = {
      exchange,
      symbol,
      timeframe: "1m",
      since: "2024-02-29",
      candles: 4_320,
      step: "0.05",
    } as const;
    await addSeries(database, hole === undefined ? minutes : { ...minutes, hole });
  }
  const sun = { exchange: "binance", symbol: "SUN/USDT", step: "0.05" };
  await addSeries(database, { ...sun, timeframe: "1d", since: "2019-03-03", candles: 1_827 });
  await addSeries(database, {
    ...sun,
    exchange: "kraken",
    symbol: "SUN/USD",
    timeframe: "1h",
    since: DAY,
    candles: 24,
  });
}

/** With prices that are tiny, and such that are large. */
async function addTicks({ database }: RichArchive): Promise<void> {
  const series = { exchange: "binance", timeframe: "1m", since: DAY, candles: 60 } as const;
  await addSeries(database, { ...series, symbol: ODD_SYMBOL, step: "0.0000000001" });
  await addSeries(database, { ...series, symbol: "YEN/JPY", step: "100000" });
}

async function addSeries({ sql }: Database, series: NewSeries): Promise<void> {
  const { exchange, symbol, timeframe, since, candles, step, hole = candles } = series;
  const length = { "1m": "1 minute", "1h": "1 hour", "1d": "1 day" }[timeframe];
  await sql`
    insert into checkpoints (exchange, symbol, timeframe, covered, candles, first, last)
    select ${exchange}, ${symbol}, ${timeframe},
           tstzmultirange(tstzrange(since, since + ${candles} * length)), ${candles}, since,
           since + ${candles - 1} * length
    from (select ${`${since}T00:00:00Z`}::timestamptz as since, ${length}::interval as length) as at`;
  await sql.unsafe(
    `insert into ${
      candleTable(parseTimeframe(timeframe))
    } (time, exchange, symbol, open, high, low, close, volume)
     select $3::timestamptz + n * $4::interval, $1, $2, $5::numeric * (1 + n % 7), $5::numeric * 42, $5::numeric,
            $5::numeric * (2 + n % 5), 1234567.50
     from generate_series(0, $6::int - 1) as n where n not between $7::int and $7::int + 59`,
    [exchange, symbol, `${since}T00:00:00Z`, length, step, candles, hole],
  );
}

interface Scene {
  readonly archive: RichArchive;
  readonly browser: Browser;
}

async function withArchive(use: (scene: Scene) => Promise<void>): Promise<void> {
  const archive = await serveRichArchive({
    exchanges: ["binance", "bybit", "coinbase", "kraken"],
    symbols: ["BTC/USDT"],
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

/** What moves by itself has come to rest: the chart draws a frame later, and its address follows. */
function settle(tab: Tab): Promise<void> {
  return tab.evaluate(`(async () => {
    for (let frames = 0; frames < 8; frames++) await new Promise(requestAnimationFrame);
  })()`);
}

function fields(tab: Tab): Promise<string[]> {
  return tab.evaluate(
    `["from", "to"].map((name) => document.querySelector("#chart-" + name).value)`,
  );
}

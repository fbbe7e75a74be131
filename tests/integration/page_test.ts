/** The page's files and the endpoints it lives on. @module */
import assert from "node:assert/strict";
import { readPage } from "../../lib/serve/page_files.ts";
import { EventReader } from "../support/event_reader.ts";
import { type RichArchive, serveRichArchive } from "../support/rich_archive.ts";
import { DATABASE_KINDS } from "../support/test_database.ts";

const TOKEN = "0123456789abcdef-titan10";

const BTC = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" };

const HOUR_MS = 3_600_000;

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- each step knows what it has asked for.
  readonly body: any;
}

async function ask(
  { server }: RichArchive,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const response = await fetch(`${server.url}${path}?${new URLSearchParams(query)}`);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

for (const databaseKind of DATABASE_KINDS) {
  Deno.test(`a chart gets its candles and their reasons from a database that is ${databaseKind}`, async (t) => {
    const archive = await serveRichArchive({
      exchanges: ["binance", "okx"],
      symbols: ["BTC/USDT", "PUMP/USDT"],
      databaseKind,
    });
    if (archive === undefined) {
      console.log(`skipped: no ${databaseKind} is installed here`);
      return;
    }
    try {
      await trySeries(t, archive);
      await tryBadQueries(t, archive);
    } finally {
      await archive.close();
    }
  });
}

async function trySeries(t: Deno.TestContext, archive: RichArchive): Promise<void> {
  await t.step("who follows it is told of its newest candle first", async () => {
    const response = await fetch(`${archive.server.url}/live?${new URLSearchParams(BTC)}`);
    const events = new EventReader(response.body!);
    const { kind, data } = await events.one();
    const { body } = await ask(archive, "/candles", { ...BTC, limit: "1" });
    const { volumeUnit, volumeBase, ...newest } = body.candles[0];
    assert.deepEqual([kind, data], ["candle", newest]);
    assert.deepEqual([volumeUnit, volumeBase], ["base", newest.volume]);
    await events.leave();
  });
  await t.step("the newest candles, ascending, with the digits that are stored", async () => {
    const { body } = await ask(archive, "/candles", { ...BTC, limit: "3" });
    const rows = await archive.database.sql<{ time: Date; close: string; volume: string }[]>`
      select time, close::text, volume::text from ohlcv_1m
      where exchange = 'binance' and symbol = 'BTC/USDT' order by time desc limit 3`;
    assert.deepEqual(
      body.candles.map(({ time, close, volume }: Record<string, string>) => [time, close, volume]),
      rows.map(({ time, close, volume }) => [time.toISOString(), close, volume]).reverse(),
    );
  });

  await t.step(
    "the timeframes of a symbol: archived ones and rollups, the finest first",
    async () => {
      const { body } = await ask(archive, "/candles", { ...BTC, limit: "1" });
      assert.deepEqual(body.timeframes, [
        { timeframe: "1m", rolledUpFrom: null },
        { timeframe: "5m", rolledUpFrom: "1m" },
        { timeframe: "15m", rolledUpFrom: "1m" },
        { timeframe: "1h", rolledUpFrom: null },
        { timeframe: "4h", rolledUpFrom: "1m" },
        { timeframe: "1d", rolledUpFrom: null },
      ]);
    },
  );

  await t.step(
    "from a moment on come the candles right after it, and the next from there",
    async () => {
      const newest = (await ask(archive, "/candles", { ...BTC, limit: "9" })).body.candles;
      const since: string = newest[0].time;
      const first = (await ask(archive, "/candles", { ...BTC, since, limit: "4" })).body.candles;
      assert.deepEqual(first, newest.slice(0, 4));
      const from = iso(Date.parse(first[3].time) + 1);
      const next =
        (await ask(archive, "/candles", { ...BTC, since: from, limit: "4" })).body.candles;
      assert.deepEqual(next, newest.slice(4, 8));
    },
  );

  await t.step("a window is half-open, and a rollup is read like a timeframe", async () => {
    const newest = (await ask(archive, "/candles", { ...BTC, timeframe: "15m", limit: "4" })).body;
    const times: string[] = newest.candles.map(({ time }: { time: string }) => time);
    assert.equal(times.length, 4);
    const [since = "", , , until = ""] = times;
    const { body } = await ask(archive, "/candles", { ...BTC, timeframe: "15m", since, until });
    assert.deepEqual(body.candles, newest.candles.slice(0, 3));
  });

  await t.step(
    "the spans of a window are all its candles, and stored ones are as many as there are",
    async () => {
      const last = (await ask(archive, "/candles", { ...BTC, limit: "1" })).body.candles[0].time;
      const untilMs = Date.parse(last) + 60_000;
      const window = { since: iso(untilMs - 30 * HOUR_MS), until: iso(untilMs) };
      const { spans } = (await ask(archive, "/explained", { ...BTC, ...window })).body;
      assert.equal(spans[0].since, window.since);
      assert.equal(spans.at(-1).until, window.until);
      let [all, stored] = [0, 0];
      for (const [at, { since, until, state, candles }] of spans.entries()) {
        if (at > 0) assert.equal(since, spans[at - 1].until);
        assert.equal(Date.parse(until) - Date.parse(since), candles * 60_000);
        all += candles;
        if (state === "stored") stored += candles;
      }
      assert.equal(all, 30 * 60);
      const rows =
        (await ask(archive, "/candles", { ...BTC, ...window, limit: "2000" })).body.candles;
      assert.equal(rows.length, stored);
      const states = new Set(spans.map(({ state }: { state: string }) => state));
      assert.deepEqual([...states].sort(), [
        "exchange_outage",
        "no_trades",
        "rejected",
        "stored",
        "suspected",
      ]);
    },
  );

  await t.step("the reasons in the status add up to what is explained", async () => {
    const { body } = await ask(archive, "/status");
    for (const { reasons, explained, symbol, timeframe } of body.series) {
      const sum = Object.values<number>(reasons).reduce((sum, candles) => sum + candles, 0);
      assert.equal(sum, explained, `${symbol} ${timeframe}`);
    }
    const all = new Set(
      body.series.flatMap(({ reasons }: { reasons: object }) => Object.keys(reasons)),
    );
    assert.deepEqual([...all].sort(), [
      "before_listing",
      "exchange_outage",
      "no_trades",
      "rejected",
    ]);
  });
}

const DAY = { since: "2026-01-01", until: "2026-01-02" };

const BAD_QUERIES: readonly {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly status?: number;
  readonly says: RegExp;
}[] = [
  { path: "/candles", query: {}, says: /The parameter exchange is missing/ },
  { path: "/candles", query: { exchange: "binance" }, says: /The parameter symbol is missing/ },
  { path: "/candles", query: { ...BTC, timeframe: "1x" }, says: /timeframe="1x": expected a CCXT/ },
  {
    path: "/candles",
    query: { ...BTC, timeframe: "3m" },
    status: 404,
    says: /only in 1m, 5m, 15m/,
  },
  { path: "/candles", query: { ...BTC, symbol: "BTC" }, says: /expected a unified symbol/ },
  { path: "/candles", query: { ...BTC, symbol: "A, drop/B" }, says: /expected a unified symbol/ },
  { path: "/candles", query: { ...BTC, symbol: "BTC\0/USDT" }, says: /expected a unified symbol/ },
  { path: "/candles", query: { ...BTC, symbol: `${"A".repeat(5_000)}/B` }, says: /"A{60}…"/ },
  {
    path: "/candles",
    query: { ...BTC, symbol: "$1;--/$2" },
    status: 404,
    says: /not in the archive/,
  },
  {
    path: "/candles",
    query: { ...BTC, symbol: "<b>/<i>" },
    status: 404,
    says: /not in the archive/,
  },
  {
    path: "/candles",
    query: { ...BTC, symbol: "BTC/USD" },
    status: 404,
    says: /BTC\/USD is not in the archive: did you mean BTC\/USDT\?/,
  },
  {
    path: "/live",
    query: { ...BTC, exchange: "binanec" },
    status: 404,
    says: /^binanec BTC\/USDT is not in the archive: did you mean binance\?$/,
  },
  { path: "/live", query: { ...BTC, timeframe: "3m" }, status: 404, says: /only in 1m, 5m/ },
  { path: "/live", query: { ...BTC, timeframe: "15m" }, says: /calculated from 1m. Ask for 1m/ },
  { path: "/live", query: { ...BTC, forming: "yes" }, says: /forming="yes": expected 0 or 1/ },
  { path: "/live", query: { ...BTC, limit: "1" }, says: /Cannot use the parameter "limit"/ },
  { path: "/candles", query: { ...BTC, exchange: "a b" }, says: /expected a CCXT id/ },
  { path: "/candles", query: { ...BTC, limit: "0" }, says: /from 1 to 2000/ },
  { path: "/candles", query: { ...BTC, limit: "2001" }, says: /from 1 to 2000/ },
  { path: "/candles", query: { ...BTC, limit: "1e3" }, says: /from 1 to 2000/ },
  { path: "/candles", query: { ...BTC, until: "yesterday" }, says: /expected ISO 8601 in UTC/ },
  { path: "/candles", query: { ...BTC, until: "2026-13-01" }, says: /expected ISO 8601 in UTC/ },
  { path: "/candles", query: { ...BTC, until: "2026-01-01T00:00+01:00" }, says: /ISO 8601 in UTC/ },
  { path: "/candles", query: { ...BTC, untill: "2026-01-01" }, says: /did you mean until\?/ },
  { path: "/explained", query: BTC, says: /The parameter since is missing/ },
  {
    path: "/explained",
    query: { ...BTC, since: DAY.since },
    says: /The parameter until is missing/,
  },
  {
    path: "/explained",
    query: { ...BTC, ...DAY, limit: "5" },
    says: /Cannot use the parameter "limit"/,
  },
  {
    path: "/explained",
    query: { ...BTC, since: "2026-01-01", until: "2026-02-01" },
    says: /Cannot explain 44640 candles at once: at most 2000, until=2026-01-02T09:20:00\.000Z/,
  },
  {
    path: "/explained",
    query: { ...BTC, since: DAY.until, until: DAY.since },
    says: /ends before it begins/,
  },
  {
    path: "/explained",
    query: { ...BTC, timeframe: "15m", ...DAY },
    says: /calculated from 1m/,
  },
];

async function tryBadQueries(t: Deno.TestContext, archive: RichArchive): Promise<void> {
  for (const { path, query, status = 400, says } of BAD_QUERIES) {
    await t.step(`${path} of ${JSON.stringify(query).slice(0, 100)}: ${status}`, async () => {
      const answered = await ask(archive, path, query);
      assert.equal(answered.status, status, JSON.stringify(answered.body));
      assert.match(answered.body.error, says);
      assert.match(answered.headers.get("content-type") ?? "", /^application\/json/);
      assert.equal(answered.headers.get("x-content-type-options"), "nosniff");
    });
  }
  await t.step("a parameter that comes twice: 400", async () => {
    const url = `${archive.server.url}/candles?${new URLSearchParams(BTC)}&symbol=A/B`;
    const response = await fetch(url);
    assert.deepEqual([response.status, (await response.json()).error], [
      400,
      "Cannot use the parameter symbol twice",
    ]);
  });
}

Deno.test("with a token the page's files are open, and everything that holds data is not", async () => {
  const archive = await serveRichArchive({
    exchanges: ["binance"],
    symbols: ["BTC/USDT"],
    token: TOKEN,
  });
  assert.ok(archive !== undefined);
  const { url } = archive.server;
  const statusOf = async (path: string, headers: HeadersInit = {}): Promise<number> => {
    const response = await fetch(`${url}${path}`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  try {
    for (const { path } of await readPage()) assert.equal(await statusOf(path), 200, path);
    const guarded = ["/status", "/metrics", "/events", "/live", "/candles", "/explained"];
    for (const path of [...guarded, "/page/"]) {
      assert.equal(await statusOf(path), 401, path);
    }
    assert.equal(await statusOf(`/events?token=${TOKEN}`), 401);
    const authorization = `Bearer ${TOKEN}`;
    for (const path of ["/status", "/events"]) {
      assert.equal(await statusOf(path, { authorization }), 200, path);
    }
  } finally {
    await archive.close();
  }
});

Deno.test("the page may load its own files alone, runs no script of its HTML, and names no other host but one link", async () => {
  const archive = await serveRichArchive({ exchanges: ["binance"], symbols: ["BTC/USDT"] });
  assert.ok(archive !== undefined);
  try {
    const response = await fetch(archive.server.url);
    const html = await response.text();
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
    assert.match(policy, /connect-src 'self'; .*frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=/i);
    assert.deepEqual(html.match(/https?:\/\/[^/"<]+/g), [
      "https://www.tradingview.com",
      "https://www.tradingview.com",
    ]);
    for (const [, path] of html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)) {
      const file: Response = await fetch(`${archive.server.url}${path}`);
      await file.body?.cancel();
      assert.equal(file.status, 200, path);
    }
  } finally {
    await archive.close();
  }
});

Deno.test("every script that the page begins with is named in its HTML, so that none is found out late", async () => {
  const [html, ...files] = await readPage();
  const text = new TextDecoder().decode(html?.bytes);
  const named = [...text.matchAll(/(?:src|modulepreload" href)="(\/page\/[^"]+\.js)"/g)]
    .map(([, path]) => path);
  // The library of the charts comes with the first chart.
  const begins = files.map(({ path }) => path)
    .filter((path) => path.endsWith(".js") && path !== "/page/lightweight-charts.js");
  assert.deepEqual(named.sort(), begins.sort());
});

Deno.test("the page's own scripts put no text in as HTML", async () => {
  for (const { path, bytes } of await readPage()) {
    if (path === "/page/lightweight-charts.js") continue;
    const text = new TextDecoder().decode(bytes);
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/,
      path,
    );
  }
});

Deno.test("a server with open streams stops, whether or not they are read", async () => {
  const archive = await serveRichArchive({ exchanges: ["binance"], symbols: ["BTC/USDT"] });
  assert.ok(archive !== undefined);
  const reading = await fetch(`${archive.server.url}/events`);
  const idle = await fetch(`${archive.server.url}/events`);
  const read = reading.text();
  const closed = archive.close();
  assert.match(await read, /^data: \{"now":|^$/);
  await closed;
  await idle.body?.cancel().catch(() => {});
});

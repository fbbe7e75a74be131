/** What the page gives to copy and to save, for markets of any name. @module */
import assert from "node:assert/strict";
import { csvOf, curlOf, exportOf, fileNameOf, sqlOf } from "../../lib/serve/page/take_texts.js";

const VIEW = {
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: "1m",
  isRollup: false,
  sinceMs: Date.UTC(2026, 0, 31, 12),
  untilMs: Date.UTC(2026, 0, 31, 13),
};

const ODD = { ...VIEW, symbol: "O'B \"$HOME`#%/US;D" };

Deno.test("a text is quoted as SQL and a shell read it", () => {
  assert.match(sqlOf(ODD), / symbol = 'O''B "\$HOME`#%\/US;D' /);
  assert.match(exportOf(ODD), / --symbol 'O'\\''B "\$HOME`#%\/US;D' /);
  const curl = curlOf(ODD, { origin: "http://127.0.0.1:9464", isGuarded: false });
  const url = /^curl -s '([^']+)'$/.exec(curl)?.[1];
  assert.equal(new URL(url ?? "").searchParams.get("symbol"), ODD.symbol);
});

Deno.test("a token is named and never written out", () => {
  assert.match(
    curlOf(VIEW, { origin: "http://127.0.0.1:9464", isGuarded: true }),
    /^curl -s -H "Authorization: Bearer \$HTTP_TOKEN" '/,
  );
});

Deno.test("a rollup is read from its own view, whose name PostgreSQL does not fold", () => {
  assert.match(
    sqlOf({ ...VIEW, timeframe: "1M", isRollup: true }),
    / from ohlcv_rollup_1mo where /,
  );
});

Deno.test("a file is named so that every file system takes it", () => {
  assert.equal(fileNameOf(ODD, "csv"), "binance_O-B-HOME-US-D_1m.csv");
  assert.equal(
    fileNameOf({ ...VIEW, symbol: "币/USDT:USDT" }, "json"),
    "binance_币-USDT-USDT_1m.json",
  );
});

Deno.test("a spreadsheet calculates nothing of what an exchange calls its markets", () => {
  const candle = {
    time: "2026-01-31T12:00:00.000Z",
    open: "1",
    high: "2",
    low: "-1",
    close: "1",
    volume: "1250",
    volumeBase: "12.5",
  };
  const [, line] = csvOf({ ...VIEW, symbol: '=A1"/USDT' }, [candle]).split("\n");
  assert.equal(line, `binance,"'=A1""/USDT",1m,2026-01-31T12:00:00Z,1,2,-1,1,1250,12.5`);
});

/**
 * freqtrade itself lists what was exported for it, and backtests with it. TITAN10_FREQTRADE names the program:
 * `python3 -m venv ft && ft/bin/pip install freqtrade`, then `TITAN10_FREQTRADE=ft/bin/freqtrade`. Tried with 2026.9.
 * @module
 */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { contract } from "../../lib/local_exchange/contract.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, run, withArchiveDirectory } from "../support/program.ts";

const FREQTRADE = Deno.env.get("TITAN10_FREQTRADE") ?? "";

const SPOT = LOCAL_SYMBOLS.filter(({ symbol }) => ["BTC/USDT", "ETH/USDT"].includes(symbol));
const PERPETUALS = SPOT.map(({ symbol, base: _, quote: __, ...facts }): LocalSymbol =>
  contract(`${symbol}:USDT`, { ...facts, size: 0.001 })
);
const SYMBOLS = [...SPOT, ...PERPETUALS].map(({ symbol }) => symbol);

/** Buys whenever something was traded, and holds for long enough that funding is paid. */
const STRATEGY = `from freqtrade.strategy import IStrategy

class Trivial(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.01}
    stoploss = -0.10
    startup_candle_count = 0

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["volume"] > 0, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
`;

/** Prints the trades of the newest backtest. */
const TRADES = `import json
from freqtrade.data.btanalysis import load_backtest_data
trades = load_backtest_data("user_data/backtest_results")
print("trades", trades[["pair", "amount", "funding_fees"]].to_json(orient="records"))
`;

interface Trade {
  readonly pair: string;
  readonly amount: number;
  readonly funding_fees: number;
}

interface Place {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

Deno.test({
  name: `freqtrade lists and backtests an exported archive, spot and futures${
    FREQTRADE === "" ? " (skipped: TITAN10_FREQTRADE names no freqtrade)" : ""
  }`,
  ignore: FREQTRADE === "",
  async fn(t): Promise<void> {
    const exchange = await startLocalExchange({
      clock: systemClock,
      symbols: [...SPOT, ...PERPETUALS],
    });
    try {
      await withArchiveDirectory(async (cwd) => {
        const place: Place = {
          cwd,
          env: {
            EXCHANGES: "binance",
            SYMBOLS: [...SYMBOLS, ...PERPETUALS.map(({ symbol }) => `${symbol}@mark`)].join(),
            TIMEFRAMES: "5m",
            BACKFILL: "5m:1d",
            EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
            EXCHANGE_PROXY_URL: exchange.proxyUrl,
          },
        };
        await t.step("it is exported", () => exportArchive(place));
        await t.step("list-data shows every file with its candles", () => listData(cwd));
        await makeUserData(cwd, exchange.url);
        for (const mode of ["spot", "futures"]) {
          await t.step(`a backtest of ${mode} trades`, () => backtest(cwd, mode));
        }
      });
    } finally {
      await exchange.close();
    }
  },
});

async function exportArchive({ cwd, env }: Place): Promise<void> {
  const range = ["--since", "2024-01-01", "--until", "2024-01-15"];
  assertCode(await run(["backfill", ...range], { cwd, env }), 0);
  const exported = await run(
    ["export", "--format", "freqtrade", "-o", "user_data/data"],
    { cwd, env },
  );
  assertCode(exported, 0);
  assert.match(exported.stderr, /in 10 files in user_data\/data\n$/);
}

async function listData(cwd: string): Promise<void> {
  const listed = async (...mode: string[]): Promise<readonly string[]> => {
    const folder = ["-d", "user_data/data/binance", "--exchange", "binance"];
    const stdout = await freqtrade(cwd, "list-data", ...folder, "--show-timerange", ...mode);
    return stdout.split("\n").filter((line) => /USDT/.test(line)).map((line) =>
      line.split(/[│|]/).map((cell) => cell.trim()).filter((cell) => cell !== "").join(" ")
    );
  };
  const [first, last] = ["2024-01-01 00:00:00", "2024-01-14 23:55:00"];
  assert.deepEqual(await listed(), [
    `BTC/USDT 5m spot ${first} ${last} 4032`,
    `ETH/USDT 5m spot ${first} ${last} 4032`,
  ]);
  assert.deepEqual(
    await listed("--trading-mode", "futures"),
    PERPETUALS.flatMap(({ symbol }) => [
      `${symbol} 5m futures ${first} ${last} 4032`,
      `${symbol} 5m mark ${first} ${last} 4032`,
      `${symbol} 1h funding_rate ${first} 2024-01-14 16:00:00 42`,
      `${symbol} 1h mark ${first} 2024-01-14 23:00:00 336`,
    ]),
  );
}

/** What freqtrade needs besides candles: a strategy, and where its CCXT finds the exchange's markets. */
async function makeUserData(cwd: string, url: string): Promise<void> {
  await Deno.mkdir(`${cwd}/user_data/strategies`, { recursive: true });
  await Deno.writeTextFile(`${cwd}/user_data/strategies/trivial.py`, STRATEGY);
  await Deno.writeTextFile(`${cwd}/trades.py`, TRADES);
  for (const mode of ["spot", "futures"]) {
    const markets = mode === "spot" ? SPOT : PERPETUALS;
    const pricing = { price_side: "same", use_order_book: true };
    await Deno.writeTextFile(
      `${cwd}/${mode}.json`,
      JSON.stringify({
        stake_currency: "USDT",
        stake_amount: 400,
        dry_run: true,
        trading_mode: mode,
        margin_mode: mode === "spot" ? "" : "isolated",
        max_open_trades: 2,
        entry_pricing: pricing,
        exit_pricing: pricing,
        exchange: {
          name: "binance",
          pair_whitelist: markets.map(({ symbol }) => symbol),
          // Not proxyUrl: CCXT for Python refuses it in what loads markets.
          ccxt_config: {
            urls: {
              api: {
                public: `${url}/api/v3`,
                fapiPublic: `${url}/fapi/v1`,
                dapiPublic: `${url}/dapi/v1`,
              },
            },
          },
        },
        pairlists: [{ method: "StaticPairList" }],
      }),
    );
  }
}

async function backtest(cwd: string, mode: string): Promise<void> {
  await freqtrade(
    cwd,
    ...["backtesting", "-c", `${mode}.json`, "-s", "Trivial", "--userdir", "user_data"],
    ...["--timerange", "20240103-20240110", "--cache", "none"],
  );
  const printed = await program(cwd, `${dirname(FREQTRADE)}/python`, ["trades.py"]);
  const [, json = ""] = /^trades (.*)$/m.exec(printed) ?? [];
  const trades = JSON.parse(json) as readonly Trade[];
  assert(trades.length > 0, printed);
  const fees = trades.filter(({ funding_fees }) => funding_fees !== 0);
  assert.equal(fees.length > 0, mode === "futures", json);
}

async function freqtrade(cwd: string, ...args: readonly string[]): Promise<string> {
  return await program(cwd, FREQTRADE, args);
}

/** Runs it without proxies of the environment, which would have a say in where the exchange is. */
async function program(cwd: string, command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    env: { PATH: Deno.env.get("PATH") ?? "", HOME: cwd, COLUMNS: "200", NO_COLOR: "1" },
    clearEnv: true,
  }).output();
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, `${out}\n${errors}`);
  return out!;
}

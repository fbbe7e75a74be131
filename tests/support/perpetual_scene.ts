/** An exchange with markets of every kind, and an archive of them. @module */
import { systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { fetchFunding } from "../../lib/fetch/funding.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { type ContractExchange, contractMarkets } from "./dialects/contract_markets.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { bybit } from "./dialects/bybit.ts";
import { gate } from "./dialects/gate.ts";
import { okx } from "./dialects/okx.ts";
import { emptyDatabase, openTestArchive } from "./local_archive.ts";
import { binance } from "./local_exchange/binance.ts";
import type { Dialect } from "./local_exchange/dialect.ts";
import { type LocalExchange, startLocalExchange } from "./local_exchange/faulty_exchange.ts";
import { START_MS, TestClock } from "./test_clock.ts";
import { openAnyTest } from "./test_database.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** How many times sooner waits end. A deadline passes as much sooner, so it is set as much longer. */
const HURRY = 200;

/** Longer waits end at once. */
const LONG_WAIT_MS = 10 * MINUTE_MS;

/** Waits of retries and bans pass quickly, and the time that they take is counted all the same. */
class HurriedClock extends TestClock {
  override async sleep(
    ms: number,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const untilMs = this.now() + Math.max(0, ms);
    await systemClock.sleep(Math.min(ms, LONG_WAIT_MS) / HURRY, { signal });
    this.pass(Math.max(0, untilMs - this.now()));
  }
}

const DIALECTS: Readonly<Record<ContractExchange, Dialect>> = { binance, bybit, okx, gate };

/** Prices that nobody trades, as far as a class has them. */
const OTHER_PRICES: Readonly<Record<ContractExchange, readonly string[]>> = {
  binance: ["mark", "index", "premium"],
  bybit: ["mark", "index", "premium"],
  okx: ["mark", "index"],
  gate: ["mark", "index"],
};

export type PerpetualArchive = Awaited<ReturnType<PerpetualScene["open"]>>;

export interface PerpetualScene {
  readonly id: ContractExchange;
  readonly database: Database;
  readonly clock: TestClock;
  readonly exchange: LocalExchange;
  /** Symbols of series: spot, linear, inverse, and other prices of contracts. */
  readonly symbols: readonly string[];
  /** Symbols of perpetuals, whose rates of funding are archived too. */
  readonly perpetuals: readonly string[];
  open(
    timeframes: Readonly<Record<string, string>>,
    change?: Readonly<Record<string, string>>,
  ): ReturnType<typeof openTestArchive>;
}

/** Opens one for the length of `use`, on an empty database. */
export async function withPerpetuals(
  id: ContractExchange,
  use: (scene: PerpetualScene) => Promise<void>,
  { dialect = DIALECTS[id] }: { readonly dialect?: Dialect } = {},
): Promise<void> {
  const opened = await openAnyTest();
  const clock = new HurriedClock();
  const markets = [...spotMarkets(), ...contractMarkets(id).map(withHole).map(withFunding)];
  const exchange = await startLocalExchange({ clock, dialect, symbols: markets });
  const perpetuals = markets.filter(({ contract }) =>
    contract !== undefined && contract.expiryMs === undefined
  ).map(({ symbol }) => symbol);
  const symbols = [
    ...markets.map(({ symbol }) => symbol).filter((symbol) => !symbol.includes("-")),
    ...OTHER_PRICES[id].flatMap((price) =>
      ["BTC/USDT:USDT", price === "premium" ? "ETH/USDT:USDT" : "BTC/USD:BTC"]
        .map((symbol) => `${symbol}@${price}`)
    ),
  ];
  try {
    await emptyDatabase(opened.database);
    await use({
      id,
      database: opened.database,
      clock,
      exchange,
      symbols,
      perpetuals,
      open: (timeframes, change = {}) =>
        openTestArchive(opened.database, {
          EXCHANGES: id,
          SYMBOLS: symbols.join(),
          TIMEFRAMES: Object.keys(timeframes).join(),
          BACKFILL: Object.entries(timeframes).map((entry) => entry.join(":")).join(),
          // In real time a second.
          FETCH_TIMEOUT: `${HURRY}s`,
          RETRY_ATTEMPTS: "6",
          [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({
            rateLimit: 1,
            proxyUrl: exchange.proxyUrl,
          }),
          ...change,
        }, clock),
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
}

function spotMarkets(): readonly LocalSymbol[] {
  return LOCAL_SYMBOLS.filter(({ symbol }) => symbol === "BTC/USDT" || symbol === "ETH/USDT");
}

/** For three hours of the month the exchange of perpetuals of ether stood still. */
function withHole(market: LocalSymbol): LocalSymbol {
  if (!market.symbol.startsWith("ETH/USDT:")) return market;
  const sinceMs = Math.floor(START_MS / DAY_MS) * DAY_MS - 20 * DAY_MS;
  return { ...market, holes: [{ sinceMs, untilMs: sinceMs + 3 * HOUR_MS }] };
}

/** Ether is paid for more often than bitcoin: every hour where it is linear, else every four. */
function withFunding(market: LocalSymbol): LocalSymbol {
  const { base, contract } = market;
  if (base !== "ETH" || contract === undefined) return market;
  const fundingMs = contract.kind === "linear" ? HOUR_MS : 4 * HOUR_MS;
  return { ...market, contract: { ...contract, fundingMs } };
}

/** Backfills and repairs, as a daemon's jobs would in some days. */
export async function archiveAll(
  { clock }: PerpetualScene,
  archive: PerpetualArchive,
  { repairs = 9 }: { readonly repairs?: number } = {},
): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await backfill(archive, { patient: false });
    await fetchFunding(archive);
  }
  for (let round = 0; round < repairs; round++) {
    await repairGaps(archive);
    clock.pass(3 * HOUR_MS);
  }
}

/** The part of a scene whose symbols are as `isIn` says. */
export function partOf(scene: PerpetualScene, isIn: (symbol: string) => boolean): PerpetualScene {
  const { symbols, perpetuals } = scene;
  return { ...scene, symbols: symbols.filter(isIn), perpetuals: perpetuals.filter(isIn) };
}

/** The hour that a moment lies in. */
export function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS) * HOUR_MS;
}

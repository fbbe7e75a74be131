/** How CCXT's class of an exchange is asked for funding rates of one window, and what it leaves out. @module */
import type { Clock } from "../clock.ts";
import type { FundingAnswer } from "../market/funding_rate.ts";
import type { Window } from "../market/window.ts";
import type { SymbolKind } from "../market/symbol.ts";
import { classesOf, factOf } from "./ancestry.ts";
import { type CcxtExchange, type CcxtMarket, kindOfMarket } from "./ccxt.ts";
import { areTold, noteUnsent, type UnsentRequests } from "./unsent.ts";

/** The part of a CCXT exchange that is used here. */
interface FundingCcxt extends CcxtExchange {
  fetchFundingRateHistory(
    symbol: string,
    sinceMs: number,
    limit: number,
    params: Readonly<Record<string, unknown>>,
  ): Promise<unknown>;
}

/** How one class is asked. */
interface FundingWay {
  /** Most rates of one answer. @default FUNDING_ROWS */
  readonly rowsMax?: number;
  readonly comes?: FundingAnswer["comes"];
  /** The parameter with which answers are numbered from 1, the newest; it has no start of a window then. */
  readonly pages?: string;
  /** What says where the window ends. @default CCXT's `until`, minus 1 ms: correct for inclusive and exclusive ends */
  readonly until?: (window: Window) => Readonly<Record<string, unknown>>;
  /** How many requests of cost 1 fit between two of these, where the exchange counts these apart. @default 0 */
  readonly spacing?: number;
}

/** Every exchange gives so many rates at once. */
const FUNDING_ROWS = 100;

/** More rates than any perpetual has. */
const EVERYTHING = 1_000_000;

/**
 * Known ways. A row also holds for the classes that inherit from its class. Sources are CCXT 4.5.84's code and the
 * documentation of the exchanges:
 *
 * - binance: from the start on, 1000 at most; 500 requests in five minutes (developers.binance.com, "Get Funding Rate
 *   History"), which CCXT does not know: it counts them as any other. bingx: the same limit; which rates come is not said.
 * - bybit: 200, newest first; a start needs an end.
 * - okx: newest first, before `after`, 100 by every version of the endpoint. Keeps three months.
 * - bitget, mexc: numbered pages, the newest first.
 * - krakenfutures: always everything, so that one answer is enough.
 * - hyperliquid: from the start on, 500.
 * - htx, linear: the newest 100 of a window whose end is `end_time`, which CCXT does not send (`/v5/market/funding_rate_history`).
 * - whitebit: the newest of a window, whose end is `endDate` in seconds; CCXT sends another name, which is neglected
 *   (docs.whitebit.com, "Funding history"). It documents 1000 rates.
 */
const FUNDING_WAYS: Readonly<Record<string, FundingWay>> = {
  binance: { rowsMax: 1000, comes: "oldest", spacing: 12 },
  bingx: { rowsMax: 1000 },
  bitget: { pages: "pageNo" },
  bybit: { rowsMax: 200, comes: "newest" },
  gate: { rowsMax: 1000 },
  htx: { until: ({ untilMs }) => ({ end_time: untilMs - 1 }) },
  hyperliquid: { rowsMax: 500, comes: "oldest" },
  krakenfutures: { rowsMax: EVERYTHING, comes: "all" },
  mexc: { pages: "page_num" },
  okx: { comes: "newest", until: ({ untilMs }) => ({ after: untilMs }) },
  whitebit: { rowsMax: 1000, until: ({ untilMs }) => ({ endDate: Math.ceil(untilMs / 1000) - 1 }) },
};

/** The same of inverse perpetuals, where it differs. htx: numbered pages of at most 50. */
const INVERSE_WAYS: Readonly<Record<string, FundingWay>> = {
  htx: { pages: "page_index", rowsMax: 50 },
};

/**
 * Classes whose history is not what was paid: bitfinex lists the running rate of every minute, and deribit, which pays all the
 * time, the sum of eight hours at every hour. These would be summed up wrongly.
 */
const NOT_PAID: readonly string[] = ["bitfinex", "deribit"];

/** Classes that give the history of linear perpetuals alone. */
const LINEAR_ALONE: readonly string[] = ["bingx"];

/** Of which kinds of perpetuals the class of an exchange gives the history of funding rates. */
export function fundingKinds(
  { id, has }: Pick<CcxtExchange, "id" | "has">,
): readonly SymbolKind[] {
  const classes = classesOf(id);
  const isAny = (ids: readonly string[]): boolean => classes.some((one) => ids.includes(one));
  if (has["fetchFundingRateHistory"] !== true || isAny(NOT_PAID)) return [];
  return isAny(LINEAR_ALONE) ? ["linear"] : ["linear", "inverse"];
}

/** One request for rates. */
export interface FundingAsk {
  readonly symbol: string;
  readonly window: Window;
  /** Of numbered answers, which one. @default the first */
  readonly page?: number | undefined;
}

/** What is known of how a perpetual is asked. */
export interface FundingTerms {
  readonly rowsMax: number;
  readonly comes: FundingAnswer["comes"];
  /** Whether answers are numbered. */
  readonly isPaged: boolean;
}

/** @param market of the perpetual. */
export function fundingTerms(
  exchange: string,
  market: Pick<CcxtMarket, "inverse"> | undefined,
): FundingTerms {
  const { rowsMax = FUNDING_ROWS, comes, pages } = wayOf(exchange, market);
  return { rowsMax, comes, isPaged: pages !== undefined };
}

function wayOf(exchange: string, market: Pick<CcxtMarket, "inverse"> | undefined): FundingWay {
  const inverse = market?.inverse === true ? factOf(INVERSE_WAYS, exchange) : undefined;
  return inverse ?? factOf(FUNDING_WAYS, exchange) ?? {};
}

/** Which ends of a window a class sends. */
export type SentEnds = Pick<FundingAnswer, "isSinceSent" | "isUntilSent">;

/** A request that has not been sent. */
interface FundingRequest extends SentEnds {
  readonly send: () => Promise<unknown>;
}

/** The requests for funding rates of one exchange. */
export class FundingRequests {
  readonly #open: () => Promise<CcxtExchange>;
  /** By kind of market. */
  readonly #sent = new Map<SymbolKind | undefined, Promise<SentEnds>>();
  /** When the next request may be sent. Milliseconds. */
  #nextMs = 0;

  constructor(open: () => Promise<CcxtExchange>) {
    this.#open = open;
  }

  /**
   * Waits where an exchange allows fewer requests for funding rates than others: without holding up those others.
   *
   * @param intervalMs the time between two requests of cost 1.
   */
  async pause(
    exchange: string,
    { clock, intervalMs, signal }: {
      readonly clock: Clock;
      readonly intervalMs: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<void> {
    const spacing = factOf(FUNDING_WAYS, exchange)?.spacing ?? 0;
    if (spacing === 0) return;
    const nowMs = clock.now();
    const turnMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = turnMs + spacing * intervalMs;
    if (turnMs > nowMs) await clock.sleep(turnMs - nowMs, { signal });
  }

  /** The request. `exchange` is the instance that has the market. */
  async of(exchange: CcxtExchange, ask: FundingAsk): Promise<FundingRequest> {
    const ccxt = exchange as FundingCcxt;
    const market = ccxt.markets?.[ask.symbol];
    const { isPaged } = fundingTerms(ccxt.id, market);
    const sent = isPaged || market === undefined ? NOT_SENT : await this.#sends(market);
    return { send: () => sendOnce(ccxt, ask, market), ...sent };
  }

  /** Which ends of a window the class sends: the requests for several windows are compared. */
  async #sends(market: CcxtMarket): Promise<SentEnds> {
    const kind = kindOfMarket(market);
    const known = this.#sent.get(kind) ?? this.#open().then((ccxt) => sentEnds(ccxt, market));
    this.#sent.set(kind, known);
    return await known;
  }
}

async function sentEnds(exchange: CcxtExchange, market: CcxtMarket): Promise<SentEnds> {
  const ccxt = exchange as FundingCcxt;
  const asked = (sinceMs: number, untilMs: number): Promise<UnsentRequests> => {
    const ask = { symbol: market.symbol, window: { sinceMs, untilMs } };
    return noteUnsent(ccxt, market, () => sendOnce(ccxt, ask, market));
  };
  const [january, february, march] = MONTHS_MS;
  const usual = await asked(january, march);
  return {
    isSinceSent: areTold(usual, await asked(february, march)),
    isUntilSent: areTold(usual, await asked(january, february)),
  };
}

/** So far apart that no class rounds them to the same. */
const MONTHS_MS = [Date.UTC(2024, 0, 1), Date.UTC(2024, 1, 1), Date.UTC(2024, 2, 1)] as const;

const NOT_SENT: SentEnds = { isSinceSent: false, isUntilSent: false };

function sendOnce(
  ccxt: FundingCcxt,
  { symbol, window, page = 1 }: FundingAsk,
  market: CcxtMarket | undefined,
): Promise<unknown> {
  const { pages, until = untilParam, rowsMax = FUNDING_ROWS } = wayOf(ccxt.id, market);
  const params = pages === undefined ? until(window) : { [pages]: page };
  return ccxt.fetchFundingRateHistory(symbol, window.sinceMs, rowsMax, params);
}

function untilParam({ untilMs }: Window): Readonly<Record<string, unknown>> {
  return { until: untilMs - 1 };
}

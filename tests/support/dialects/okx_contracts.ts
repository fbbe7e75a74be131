/** OKX's perpetual and dated contracts, their mark and index prices, for the local exchange. @module */
import { contractsText } from "../../../lib/local_exchange/contract.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type DialectRequest,
  type PageRow,
  refused,
  tickText,
  trimmed,
} from "../local_exchange/dialect.ts";
import {
  type Contract,
  isTrading,
  type LocalSymbol,
} from "../../../lib/local_exchange/local_symbol.ts";

type ContractMarket = LocalSymbol & { readonly contract: Contract };

const FUNDING_ROWS_MAX = 400;

/** Rates older than three months are not given any more. */
const FUNDING_KEPT_MS = 92 * 24 * 60 * 60_000;

/** How many digits of a rate are only predicted, so that the predicted one differs from the one that was paid. */
const PREDICTED_DIGITS = "7";

export function isOkxContract(symbol: LocalSymbol): symbol is ContractMarket {
  return symbol.contract !== undefined && symbol.priced === undefined;
}

/** `BTC-USDT-SWAP`, `BTC-USD-241227`; of spot markets `BTC-USDT`. */
export function okxId(symbol: LocalSymbol): string {
  const { contract } = symbol;
  const family = okxFamily(symbol);
  if (contract === undefined) return family;
  if (contract.expiryMs === undefined) return `${family}-SWAP`;
  return `${family}-${new Date(contract.expiryMs).toISOString().slice(2, 10).replaceAll("-", "")}`;
}

/** What a contract and its index are named after. */
export function okxFamily({ base, quote }: LocalSymbol): string {
  return `${base}-${quote}`;
}

export function okxType({ contract }: LocalSymbol): "SPOT" | "SWAP" | "FUTURES" {
  if (contract === undefined) return "SPOT";
  return contract.expiryMs === undefined ? "SWAP" : "FUTURES";
}

/** Contracts, then base volume, then quote volume: `vol`, `volCcy`, `volCcyQuote`. */
export function okxVolumes(row: PageRow, symbol: LocalSymbol): unknown[] {
  const turnover = trimmed(row.quoteVolume);
  if (!isOkxContract(symbol)) return [trimmed(row.volume), turnover, turnover];
  return [contractsText(symbol, row), trimmed(row.volume), turnover];
}

/** The last three months, newest first; both bounds are exclusive. */
export function readOkxFunding(
  { query, symbols, nowMs }: DialectRequest,
  { endpoint, envelope }: {
    readonly endpoint: string;
    envelope(data: readonly unknown[]): unknown;
  },
): Ask {
  const id = query.get("instId");
  const symbol = symbols.find((one) => okxType(one) === "SWAP" && okxId(one) === id);
  if (symbol === undefined) {
    const msg = "Instrument ID, Instrument ID code, or Spread ID doesn't exist.";
    return refused(endpoint, 200, { code: "51001", data: [], msg });
  }
  const before = query.get("before");
  const after = query.get("after");
  return {
    about: "funding",
    endpoint,
    symbol,
    page: {
      sinceMs: Math.max(before === null ? 0 : Number(before) + 1, nowMs - FUNDING_KEPT_MS),
      untilMs: after === null ? undefined : Number(after),
      rowsMax: Math.min(Number(query.get("limit") ?? FUNDING_ROWS_MAX), FUNDING_ROWS_MAX),
      keep: "newest",
      order: "descending",
    },
    render: (rows) =>
      envelope(rows.map(({ timeMs, rate }) => ({
        formulaType: "withRate",
        fundingRate: rate + PREDICTED_DIGITS,
        fundingTime: String(timeMs),
        instId: id,
        instType: "SWAP",
        method: "current_period",
        realizedRate: trimmed(rate),
      }))),
  };
}

export function okxContractTicker(symbol: ContractMarket, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const last = trimmed(day.close);
  return {
    instType: okxType(symbol),
    instId: okxId(symbol),
    last,
    lastSz: "1",
    askPx: last,
    askSz: "11",
    bidPx: last,
    bidSz: "5",
    open24h: trimmed(day.open),
    high24h: trimmed(day.high),
    low24h: trimmed(day.low),
    // Of contracts: in base units.
    volCcy24h: trimmed(day.volume),
    vol24h: contractsText(symbol, day),
    ts: String(nowMs),
    sodUtc0: trimmed(day.open),
    sodUtc8: trimmed(day.open),
  };
}

export function okxContractInstrument(symbol: ContractMarket, nowMs: number): unknown {
  const { base, quote, contract } = symbol;
  return {
    alias: contract.expiryMs === undefined ? "" : "quarter",
    baseCcy: "",
    category: "1",
    ctMult: "1",
    ctType: contract.kind,
    ctVal: String(contract.size),
    ctValCcy: contract.kind === "linear" ? base : quote,
    expTime: contract.expiryMs === undefined ? "" : String(contract.expiryMs),
    instFamily: okxFamily(symbol),
    instId: okxId(symbol),
    instType: okxType(symbol),
    lever: "100",
    listTime: String(symbol.listedAtMs ?? 0),
    lotSz: "1",
    maxLmtSz: "100000000",
    maxMktSz: "12000",
    minSz: "1",
    optType: "",
    quoteCcy: "",
    ruleType: "normal",
    settleCcy: contract.settle,
    state: isTrading(symbol, nowMs) ? "live" : "suspend",
    stk: "",
    tickSz: tickText(symbol),
    uly: okxFamily(symbol),
  };
}

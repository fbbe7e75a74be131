/** Kraken's API with two markets that CCXT calls REP/USD, each of which can leave the list and come back. @module */
import { addCandles, floorTime, parseTimeframe } from "../../lib/market/timeframe.ts";

/** The price of each market: no candle of one can pass for one of the other. */
export const TWIN_PRICES = { XREPZUSD: 0.02, REPV2USD: 11, XXBTZUSD: 43_000 } as const;

type MarketId = keyof typeof TWIN_PRICES;

export interface TwinMarkets {
  /** What `EXCHANGE_PROXY_URL` is set to. */
  readonly proxyUrl: string;
  /** The ids that candles were asked of, in order, until a test empties it. */
  readonly asked: string[];
  readonly delisted: Set<MarketId>;
  /** Those that the next list, and only that one, leaves out by mistake. */
  readonly left: Set<MarketId>;
  /** New spellings of ids. */
  readonly respelled: Map<MarketId, string>;
  /** Those whose candles are not given, because their server is in trouble. */
  readonly troubled: Set<MarketId>;
  /** Minutes without a candle of `REPV2USD`. Milliseconds. */
  readonly silent: Set<number>;
}

/** Starts it for the length of `use`. At first both are listed, and CCXT gives the symbol to REPV2USD, the last one. */
export async function withTwinMarkets(
  now: () => number,
  use: (twins: TwinMarkets) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const delisted = new Set<MarketId>();
  const left = new Set<MarketId>();
  const respelled = new Map<MarketId, string>();
  const troubled = new Set<MarketId>();
  const silent = new Set<number>();
  const spelled = (id: MarketId): string => respelled.get(id) ?? id;
  const answer = (result: unknown): Response =>
    Response.json({ error: [], result }, { headers: { date: new Date(now()).toUTCString() } });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { origin } = new URL(request.url);
    const url = new URL(decodeURIComponent(request.url.slice(origin.length + 1)));
    if (url.pathname.endsWith("/AssetPairs")) {
      const ids = Object.keys(TWIN_PRICES) as MarketId[];
      const listed = ids.filter((id) => !delisted.has(id) && !left.delete(id));
      return answer(Object.fromEntries(listed.map((id) => [spelled(id), marketOf(id)])));
    }
    if (url.pathname.endsWith("/OHLC")) {
      const pair = url.searchParams.get("pair") ?? "";
      asked.push(pair);
      const ids = Object.keys(TWIN_PRICES) as MarketId[];
      const id = ids.find((id) => spelled(id) === pair);
      if (id === undefined) return Response.json({ error: ["EQuery:Unknown asset pair"] });
      if (troubled.has(id)) return new Response("trouble", { status: 500 });
      const minutes = Number(url.searchParams.get("interval"));
      const timeframe = parseTimeframe(minutes < 60 ? `${minutes}m` : `${minutes / 60}h`);
      const formingMs = floorTime(timeframe, now());
      const rows = Array.from({ length: 720 }, (_, i) => addCandles(timeframe, formingMs, i - 719))
        .filter((openMs) => id !== "REPV2USD" || !silent.has(openMs))
        .map((openMs) => rowOf(id, openMs));
      return answer({ [pair]: rows, last: formingMs / 1000 });
    }
    return Response.json({ error: ["EGeneral:Unknown method"] });
  });
  try {
    const proxyUrl = `http://127.0.0.1:${server.addr.port}/`;
    await use({ proxyUrl, asked, delisted, left, respelled, troubled, silent });
  } finally {
    await server.shutdown();
  }
}

function marketOf(id: MarketId): unknown {
  const base = id.replace(/Z?USD$/, "");
  return {
    altname: id,
    wsname: id,
    base,
    quote: "ZUSD",
    pair_decimals: 3,
    lot_decimals: 8,
    leverage_buy: [],
    fees: [[0, 0.4]],
    fees_maker: [[0, 0.25]],
    ordermin: "0.3",
    tick_size: "0.001",
    status: "online",
  };
}

function rowOf(id: MarketId, openMs: number): unknown[] {
  const price = String(TWIN_PRICES[id]);
  return [openMs / 1000, price, price, price, price, price, "1.5", 3];
}

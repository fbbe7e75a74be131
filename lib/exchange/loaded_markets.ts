/** Loads the markets of one exchange into instances of its class in CCXT, which look markets up in themselves. @module */
import { marketSymbol } from "../market/price.ts";
import { ANSWER_BOUNDS } from "./answer_budget.ts";
import type { CcxtExchange } from "./ccxt.ts";
import type { ExchangeCalls } from "./exchange_calls.ts";
import { type ExpiredMarket, expiredMarket } from "./expired_market.ts";
import { loadKinds, type LoadOptions, marketKinds } from "./market_kinds.ts";
import { type MarketList, marketList, marketOf, usableMarkets } from "./market_list.ts";
import { withoutOddEntries } from "./odd_entries.ts";
import { AskedPrices } from "./prices.ts";
import { truePerpetual } from "./true_perpetual.ts";

interface LoadedMarketsOptions {
  /** Opens an instance of the exchange's class. */
  readonly open: () => Promise<CcxtExchange>;
  readonly calls: ExchangeCalls;
  /** Only the kinds of markets of these symbols are loaded. @default spot markets only */
  readonly symbols?: readonly string[] | undefined;
  /** What the user has given to CCXT's constructor. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
}

/** The lists of markets of one exchange, each with the instance that it was loaded into. */
export class LoadedMarkets {
  readonly #exchange: string;
  readonly #options: LoadedMarketsOptions;
  readonly #instances = new WeakMap<MarketList, CcxtExchange>();
  readonly #prices: AskedPrices;

  constructor(exchange: string, options: LoadedMarketsOptions) {
    this.#exchange = exchange;
    this.#options = options;
    this.#prices = new AskedPrices(options.open);
  }

  /**
   * Loads the markets, one kind after the other, into a new CCXT instance: lists loaded before, and their requests, stay.
   *
   * @throws FetchError `transient` also when the list is empty: CCXT reads a truncated body as an empty list.
   */
  async load({ previous, onLoaded, ...options }: LoadOptions = {}): Promise<MarketList> {
    const ccxt = await this.#options.open();
    const markets = await loadKinds(marketKinds(ccxt, this.#options), {
      ...options,
      known: previous === undefined ? undefined : this.#instances.get(previous)?.markets,
      load: (kind, signal) => {
        const action = `load the ${kind.title} of ${this.#exchange}`;
        return this.#options.calls.run(
          action,
          { signal, bounds: ANSWER_BOUNDS.lists },
          async (call) => {
            const loaded = await withoutOddEntries(() => kind.load(), ccxt.options);
            const usable = usableMarkets(action, loaded, call);
            onLoaded?.(kind, call);
            return usable.map((market) => truePerpetual(this.#exchange, market));
          },
        );
      },
    });
    await this.#prices.learn(ccxt, markets);
    ccxt.setMarkets(markets);
    return this.#listOf(ccxt);
  }

  /**
   * Returns a list of only these markets, by symbol and id, to free memory: thousands are listed, a few dozen are archived.
   * CCXT finds a market by its symbol, so no namesake stays. After that, `list` itself cannot be used for requests.
   * Those that have `expired` are not on `list`, and may be asked all the same.
   */
  async keep(
    list: MarketList,
    ids: ReadonlyMap<string, string | undefined>,
    expired: readonly ExpiredMarket[],
  ): Promise<MarketList> {
    const ccxt = this.instanceOf(list);
    // A market stays once, however many of its prices are archived.
    const kept = new Set([
      ...[...ids].flatMap(([symbol, id]) => marketOf(ccxt, marketSymbol(symbol), id) ?? []),
      ...expired.flatMap((one) => expiredMarket(ccxt, one)),
    ]);
    // There may be none of their kind among those that are listed.
    await this.#prices.learn(ccxt, [...kept]);
    this.#instances.delete(list);
    ccxt.markets = undefined;
    // This promise would keep all markets in memory.
    ccxt.marketsLoading = undefined;
    ccxt.setMarkets([...kept]);
    return this.#listOf(ccxt);
  }

  #listOf(ccxt: CcxtExchange): MarketList {
    const list = marketList(this.#exchange, ccxt, (market) => this.#prices.of(market));
    this.#instances.set(list, ccxt);
    return list;
  }

  /** @throws Error when the list is not in use any more. */
  instanceOf(list: MarketList): CcxtExchange {
    const ccxt = this.#instances.get(list);
    if (ccxt !== undefined) return ccxt;
    throw new Error(`Cannot ask ${this.#exchange}: the list of markets is not in use`);
  }

  /** The instance of a list; undefined when the list is not in use any more. */
  get(list: MarketList): CcxtExchange | undefined {
    return this.#instances.get(list);
  }
}

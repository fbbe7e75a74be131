/** From which hosts the candles of an exchange's kinds of markets come, and what that means for a symbol. @module */
import type { Series } from "../market/series.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import type { Bans } from "./bans.ts";
import type { CandleRequests } from "./candle_request.ts";
import type { CcxtExchange } from "./ccxt.ts";
import type { Denials } from "./denial.ts";
import type { Lanes } from "./lanes.ts";
import { ANY_SPOT } from "./market_kinds.ts";

interface KindHostsOptions {
  readonly requests: CandleRequests;
  readonly lanes: Lanes;
  readonly bans: Bans;
  readonly denials: Denials;
  /** What is asked for. @default spot markets */
  readonly symbols?: readonly string[] | undefined;
}

export class KindHosts {
  readonly #options: KindHostsOptions;
  /** The kind of market whose candles come from the main host: spot, if any is asked for. */
  readonly #mainKind: SymbolKind;

  constructor(options: KindHostsOptions) {
    this.#options = options;
    const kinds = (options.symbols ?? [ANY_SPOT]).map(kindOf);
    this.#mainKind = kinds.find((kind) => kind === "spot") ?? kinds[0] ?? "spot";
  }

  /** The host that gives the candles of a series; undefined if that is not known. `ccxt` has its market, and `symbols`. */
  async of(
    series: Series,
    { ccxt, symbols }: { readonly ccxt: CcxtExchange; readonly symbols: Iterable<string> },
  ): Promise<string | undefined> {
    const { requests, lanes } = this.#options;
    if (!lanes.isMainKnown) await this.#findMain(series, { ccxt, symbols });
    return await requests.hostOf(ccxt, series);
  }

  /** Asks for the main host by the first market of the main kind. */
  async #findMain(
    series: Series,
    { ccxt, symbols }: { readonly ccxt: CcxtExchange; readonly symbols: Iterable<string> },
  ): Promise<void> {
    const { requests, lanes } = this.#options;
    for (const symbol of symbols) {
      if (kindOf(symbol) !== this.#mainKind) continue;
      const main = await requests.hostOf(ccxt, { ...series, symbol });
      if (main !== undefined) lanes.noteMain(main);
      return;
    }
  }

  /**
   * Until when the host of a symbol's candles has banned us while another one that was asked has not. Milliseconds; undefined
   * if it has not, or all have.
   */
  bannedUntilMs(symbol: string): number | undefined {
    const { requests, bans } = this.#options;
    const host = requests.knownHostOf(symbol);
    return host === undefined || bans.untilMsOf(undefined) !== undefined
      ? undefined
      : bans.untilMsOf(host);
  }

  /** Whether the host of a symbol's candles refuses us, or any host of candles while it is not known which that is. */
  isDenied(symbol: string): boolean {
    const { requests, denials } = this.#options;
    const host = requests.knownHostOf(symbol);
    if (host !== undefined) return denials.isDenied(host);
    return typeof denials.state === "object" && denials.state.isOfCandles;
  }
}

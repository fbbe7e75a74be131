/** What is known of an exchange's markets: a value that never changes, replaced as a whole when it is due. @module */
import type { Clock } from "../clock.ts";
import type { MarketList } from "../exchange/market_list.ts";
import type { Series } from "../market/series.ts";
import { SharedRun } from "../policy/shared_run.ts";

/** What an exchange listed at one time, and what of it is archived. */
export interface Markets {
  readonly exchange: string;
  /** When they were loaded. Milliseconds. */
  readonly loadedAtMs: number;
  /** The facts about the markets of the archived symbols. One that is not listed any more is not there. */
  readonly list: MarketList;
  /** The series that are asked for. */
  readonly series: readonly Series[];
  /** Symbols whose market is suspended: not polled, their history is still asked for. */
  readonly suspended: ReadonlySet<string>;
  /** The configured symbols that it does not list. */
  readonly unlisted: readonly UnlistedSymbol[];
  /** Since when archived symbols are missing that may yet turn out to be delisted. Milliseconds. */
  readonly absentSinceMs: ReadonlyMap<string, number>;
}

/** A configured symbol that the exchange does not list. */
export interface UnlistedSymbol {
  readonly symbol: string;
  /** What was probably meant. */
  readonly nearest: readonly string[];
}

/** Symbols come and go: markets older than this are loaded again. */
const MARKETS_AGE_MS_MAX = 24 * 60 * 60_000;

/** Where a symbol was refused or is missing, markets older than this are loaded again. */
const SUSPECT_AGE_MS_MAX = 10 * 60_000;

interface RefreshOptions {
  /** Loads the markets anew. Its signal is aborted when no caller waits any more. */
  readonly load: (
    previous: Markets | undefined,
    options: { readonly signal: AbortSignal },
  ) => Promise<Markets>;
  /** Told why they could not be loaded again, where older ones still serve. */
  readonly onFailure: (error: unknown) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** The markets that polls, backfills and repairs of one exchange go by: one value for all of them. */
export class MarketsInForce {
  readonly #clock: Clock;
  readonly #loading = new SharedRun<Markets>();
  #value: Markets | undefined;
  /** When loading them again was last tried in vain. Milliseconds. */
  #failedAtMs = -Infinity;
  #isDoubted = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined until they were loaded for the first time. */
  get value(): Markets | undefined {
    return this.#value;
  }

  /** Says that a symbol was refused, so that the markets may have changed: they are loaded again sooner. */
  doubt(): void {
    this.#isDoubted = true;
  }

  /**
   * The markets, loaded anew when that is due. Who calls while they are being loaded waits for the same result, and
   * its own abort leaves the others waiting. Markets that cannot be loaded again still serve.
   *
   * @throws what `load` throws, while there are none yet.
   * @throws the reason of `signal` when that aborts.
   */
  async refresh({ load, onFailure, signal }: RefreshOptions): Promise<Markets> {
    const value = this.#value;
    if (value !== undefined && !this.#isDue(value)) return value;
    return await this.#loading.join(async (shared) => {
      try {
        const markets = await load(this.#value, { signal: shared });
        this.#value = markets;
        this.#failedAtMs = -Infinity;
        this.#isDoubted = false;
        return markets;
      } catch (error) {
        if (this.#value === undefined || shared.aborted) throw error;
        this.#failedAtMs = this.#clock.now();
        await onFailure(error);
        return this.#value;
      }
    }, { signal });
  }

  #isDue({ loadedAtMs, absentSinceMs }: Markets): boolean {
    const nowMs = this.#clock.now();
    if (nowMs - this.#failedAtMs < SUSPECT_AGE_MS_MAX) return false;
    const isDoubtful = this.#isDoubted || absentSinceMs.size > 0;
    return nowMs - loadedAtMs >= (isDoubtful ? SUSPECT_AGE_MS_MAX : MARKETS_AGE_MS_MAX);
  }
}

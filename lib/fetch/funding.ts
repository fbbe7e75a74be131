/** Funding rates: fetches all that are owed of an exchange, newest first, and asks again for those that are missing. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { AskedRange } from "../archive/desire.ts";
import { isCancelled, resumeAtMs } from "../archive/failure.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { type Coverage, coverageOf, subtract } from "../market/coverage.ts";
import { coverageRates, fundingPageSinceMs } from "../market/funding_rate.ts";
import type { Window } from "../market/window.ts";
import {
  explainFundingHole,
  findFundingHoles,
  noteWantedFunding,
  scanFundingHoles,
} from "../store/funding_ledger.ts";
import { errorText } from "../text/redact.ts";
import { type FundingOutcome, ingestFunding, reportFundingFailure } from "./ingest_funding.ts";
import {
  fundingDesires,
  type OwingPerpetual,
  readOwingPerpetuals,
  withoutUndue,
} from "./funding_wanted.ts";
import { refreshMarkets } from "./markets.ts";

export interface FundingReport {
  readonly exchange: string;
  /** Requests that were answered. */
  readonly pages: number;
  readonly added: number;
  readonly revised: number;
  readonly failed: number;
  /** About how many rates are still owed; undefined when the ledger was not read. */
  readonly left: number | undefined;
  /** One message for each cause. */
  readonly problems: readonly string[];
}

interface FundingOptions {
  /** What is asked for in the place of `BACKFILL`. @default nothing */
  readonly asked?: AskedRange | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Perpetuals of one exchange that are asked at once: polls hardly wait. */
const AT_ONCE = 3;

/** How often a run waits for an exchange that is down or bans us, before the rest is left to the next run. */
const WAITS_MAX = 15;

/** Longer waits are left to the next run. */
const WAIT_MS_MAX = 2 * 60_000;

/** Numbered answers: so many pages of a hundred rates are more than any perpetual has. */
const PAGES_MAX = 1_000;

/** Holes of one exchange that are asked for in one run. The others come with the next. */
const HOLES_MAX = 100;

/** Fetches what is owed of all exchanges whose markets are loaded. */
export async function fetchFunding(
  archive: Archive,
  options: FundingOptions = {},
): Promise<readonly FundingReport[]> {
  return await Promise.all(
    archive.exchanges.map((exchange) => new FundingRun(archive, exchange, options).run()),
  );
}

/** Fetches the rates of one exchange once. */
class FundingRun {
  readonly #archive: Archive;
  readonly #exchange: ArchivedExchange;
  readonly #options: FundingOptions;
  readonly #over: AbortSignal;
  readonly #problems = new Set<string>();
  readonly #counts = { pages: 0, added: 0, revised: 0, failed: 0 };
  #waits = 0;

  constructor(archive: Archive, exchange: ArchivedExchange, options: FundingOptions) {
    this.#archive = archive;
    this.#exchange = exchange;
    this.#options = options;
    this.#over = AbortSignal.any([exchange.work.wants, options.signal ?? []].flat());
  }

  async run(): Promise<FundingReport> {
    let left: number | undefined;
    try {
      left = await this.#fetchOwed();
    } catch (error) {
      if (!isCancelled(error, this.#over)) this.#problems.add(errorText(error));
    }
    const problems = [...this.#problems];
    return { exchange: this.#exchange.id, ...this.#counts, left, problems };
  }

  async #fetchOwed(): Promise<number | undefined> {
    const [archive, exchange] = [this.#archive, this.#exchange];
    // What another node asks for is that node's to fetch.
    if (exchange.client.fundingKinds.length === 0 || !exchange.share.mayAsk) return 0;
    // Who fetches candles loads them, and tells of it when that fails.
    if (exchange.markets.value === undefined) return undefined;
    const markets = await refreshMarkets(archive, exchange, { signal: this.#options.signal });
    await noteWantedFunding(
      archive.database,
      exchange.id,
      fundingDesires(archive, exchange, markets),
      archive.leases.node,
    );
    const desires = fundingDesires(archive, exchange, markets, this.#options.asked)
      .filter(({ symbol }) => exchange.share.holds(symbol));
    const owing = await readOwingPerpetuals(archive, desires);
    const queue = owing[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (const one of queue) {
        if (this.#over.aborted) return;
        await this.#fetchPerpetual(one, markets);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await this.#askForHoles(markets);
    return (await readOwingPerpetuals(archive, desires)).reduce(
      (sum, { owed, intervalMs }) => sum + coverageRates(owed, intervalMs),
      0,
    );
  }

  async #fetchPerpetual(one: OwingPerpetual, markets: Markets): Promise<void> {
    const { rowsMax, isPaged } = this.#exchange.client.fundingTerms(one.symbol, markets.list);
    const left = isPaged
      ? await this.#fetchNumbered(one, markets)
      : await this.#fetchWindows(one, { markets, rowsMax });
    if (left === undefined || left.length === 0 || this.#over.aborted) return;
    this.#problems.add(`${one.exchange} ${one.symbol}: not all funding rates were answered for`);
  }

  /** Window by window. Returns what is left; undefined after a failure, which was told. */
  async #fetchWindows(
    { symbol, owed, untilMs, ...one }: OwingPerpetual,
    { markets, rowsMax }: { readonly markets: Markets; readonly rowsMax: number },
  ): Promise<Coverage | undefined> {
    let left = owed;
    let { intervalMs } = one;
    for (let last = left.at(-1); last !== undefined; last = left.at(-1)) {
      const sinceMs = fundingPageSinceMs(last.untilMs, { rows: rowsMax, intervalMs });
      // The newest rate may have come in the minutes that are not wanted yet.
      const isNewest = last.untilMs === untilMs && this.#options.asked?.untilMs === undefined;
      const window = {
        sinceMs: Math.max(last.sinceMs, sinceMs),
        untilMs: isNewest ? this.#archive.clock.now() : last.untilMs,
      };
      const outcome = await this.#ingest({ symbol, window, markets });
      if (outcome === undefined) return undefined;
      intervalMs = shortest(outcome) ?? intervalMs;
      const before = left.length;
      left = withoutUndue(minus(left, outcome), { intervalMs, untilMs });
      const newest = left.at(-1);
      const isSame = newest?.sinceMs === last.sinceMs && newest.untilMs === last.untilMs;
      if (isSame && left.length === before) return left;
    }
    return left;
  }

  /** Answers that are numbered from the newest on, until all is answered for. */
  async #fetchNumbered(
    { symbol, owed, untilMs, intervalMs }: OwingPerpetual,
    markets: Markets,
  ): Promise<Coverage | undefined> {
    let left = owed;
    const window = { sinceMs: owed[0]?.sinceMs ?? untilMs, untilMs: this.#archive.clock.now() };
    let joinMs: number = window.untilMs;
    for (let page = 1; left.length > 0 && page <= PAGES_MAX; page++) {
      const outcome = await this.#ingest({ symbol, window, markets, page, joinMs });
      if (outcome === undefined) return undefined;
      left = withoutUndue(minus(left, outcome), { intervalMs, untilMs });
      if (outcome.answered === undefined || outcome.reachFromMs !== undefined) break;
      joinMs = Math.min(joinMs, outcome.answered.sinceMs);
    }
    return left;
  }

  async #askForHoles(markets: Markets): Promise<void> {
    const { database, clock } = this.#archive;
    const { id: exchange, client } = this.#exchange;
    for (const hole of await findFundingHoles(database, exchange, { holesMax: HOLES_MAX })) {
      const { symbol, window } = hole;
      if (this.#over.aborted || !markets.list.has(symbol)) continue;
      if (!this.#exchange.share.holds(symbol)) continue;
      // Of numbered answers no single one can be asked for; those that had it would have come.
      const isPaged = client.fundingTerms(symbol, markets.list).isPaged;
      const outcome = isPaged ? NOTHING_MORE : await this.#ingest({ symbol, window, markets });
      if (outcome === undefined) continue;
      if (outcome.added === 0) await explainFundingHole(database, hole, clock.now());
    }
    // What was filled is no hole any more.
    await scanFundingHoles(database, exchange);
  }

  /** Repeats while waiting helps and is not too long. Returns undefined after a failure, which is reported. */
  async #ingest(
    { symbol, window, markets, page, joinMs }: {
      readonly symbol: string;
      readonly window: Window;
      readonly markets: Markets;
      readonly page?: number;
      readonly joinMs?: number;
    },
  ): Promise<Pick<FundingOutcome, "answered" | "reachFromMs" | "rates" | "added"> | undefined> {
    const [archive, exchange] = [this.#archive, this.#exchange];
    const { signal } = this.#options;
    while (!this.#over.aborted) {
      try {
        const options = { markets, priority: "backfill", joinMs, signal } as const;
        const outcome = await ingestFunding(archive, exchange, { symbol, window, page }, options);
        this.#counts.pages++;
        this.#counts.added += outcome.added;
        this.#counts.revised += outcome.revised;
        return outcome;
      } catch (error) {
        if (isCancelled(error, signal)) return undefined;
        const nowMs = archive.clock.now();
        const waitMs = (resumeAtMs(error, nowMs) ?? Infinity) - nowMs;
        if (waitMs <= WAIT_MS_MAX && this.#waits++ < WAITS_MAX) {
          await exchange.work.run(
            { symbol, signal: this.#over },
            (_, waits) => archive.clock.sleep(waitMs, { signal: waits }),
          ).catch(() => {});
          continue;
        }
        this.#counts.failed++;
        this.#problems.add(errorText(error));
        await reportFundingFailure(archive, { exchange: exchange.id, symbol, error, signal });
        return undefined;
      }
    }
    return undefined;
  }
}

const NOTHING_MORE = { answered: undefined, reachFromMs: undefined, rates: [], added: 0 } as const;

/** What is left after an answer, also of time before which nothing comes. */
function minus(
  left: Coverage,
  { answered, reachFromMs = -Infinity }: Pick<FundingOutcome, "answered" | "reachFromMs">,
): Coverage {
  const behind = { sinceMs: -Infinity, untilMs: reachFromMs };
  return subtract(left, coverageOf([behind, answered ?? []].flat()));
}

/** The shortest distance between two rates of an answer. Milliseconds; undefined if there are not two. */
function shortest({ rates }: Pick<FundingOutcome, "rates">): number | undefined {
  const distances = rates.slice(1).map(({ timeMs }, at) => timeMs - (rates[at]?.timeMs ?? 0));
  return distances.length === 0
    ? undefined
    : distances.reduce((least, distance) => Math.min(least, distance));
}

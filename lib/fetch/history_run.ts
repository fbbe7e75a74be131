/**
 * Takes whole months and days of an exchange's candles from the files that it publishes, beside the requests of a backfill. What
 * a file lacks stays owed, and the requests fetch it.
 * @module
 */
import { FileFaultError, type PublishedFile } from "../exchange/archives/published_file.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import { MalformedPageError } from "../market/answer.ts";
import { type Series, seriesName } from "../market/series.ts";
import { retry } from "../policy/retry.ts";
import { isOfOtherMarket } from "../store/connection/store_error.ts";
import type { Owed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { askedLease } from "../archive/asked_lease.ts";
import { isCancelled } from "../archive/failure.ts";
import { errorText } from "../text/redact.ts";
import { chooseFiles, type ChosenFile, FILES_IN_FLIGHT, withoutFiles } from "./history_choice.ts";
import { findDifference, type StoredFile, storeFile } from "./history_file.ts";
import { marketIdOf } from "./market_time.ts";

/** The first files of a series are all compared with the API, later ones one in so many. */
const SAMPLED_FIRST = 3;
const SAMPLED_EACH = 12;

/** After so many files in a row that could not be fetched or were faulty, the rest of the run does without. */
const FAILURES_MAX = 3;

/** Attempts to fetch a file: the API has its candles, too. */
const ATTEMPTS_MAX = 3;

/** What became of a file; also a metric's label. */
type FileOutcome = "stored" | "missing" | "faulty" | "differs" | "failed";

interface HistoryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly isOver: () => boolean;
  /** Repeats a step while a ban, a breaker or the database stops it. Returns whether it succeeded. */
  readonly persist: (step: () => Promise<unknown>, series: Series) => Promise<boolean>;
  /** Called with each file that was stored. */
  readonly onStored: (file: PublishedFile, stored: StoredFile) => Promise<void>;
}

/** The files of one exchange during one run of its backfill. */
export class History {
  readonly #archive: Archive;
  readonly #exchange: ArchivedExchange;
  readonly #options: HistoryOptions;
  /** Addresses that were asked for in this run. */
  readonly #tried = new Set<string>();
  /** How many files of a series were compared with the API or passed over, by name. */
  readonly #compared = new Map<string, number>();
  /** Series whose files differ from the API. */
  readonly #distrusted = new Set<string>();
  /** Why no files are fetched any more; undefined while they are. */
  #asideWhy: string | undefined;
  #failuresInARow = 0;

  constructor(archive: Archive, exchange: ArchivedExchange, options: HistoryOptions) {
    this.#archive = archive;
    this.#exchange = exchange;
    this.#options = options;
  }

  /** Chooses the files for what is owed, and says what is left to the API meanwhile. Sends nothing. */
  async choose(owed: readonly Owed[]): Promise<{
    readonly files: readonly ChosenFile[];
    readonly left: readonly Owed[];
  }> {
    const markets = this.#exchange.markets.value;
    if (markets === undefined || this.#asideWhy !== undefined) return { files: [], left: owed };
    const trusted = owed.filter(({ series }) => !this.#distrusted.has(seriesName(series)));
    const files = await chooseFiles(this.#archive, this.#exchange, trusted, {
      markets,
      nowMs: this.#archive.clock.now(),
      isLeftOut: (file) => this.#tried.has(file.url) || this.#exchange.client.files.isMissing(file),
    });
    return { files, left: withoutFiles(owed, files) };
  }

  /** Fetches and stores files, as many as may be in flight. Never throws for one that fails. */
  async take(files: readonly ChosenFile[]): Promise<void> {
    const queue = files.values();
    const worker = async (): Promise<void> => {
      for (const chosen of queue) {
        if (this.#options.isOver() || this.#asideWhy !== undefined) return;
        const { series } = chosen.file;
        if (this.#distrusted.has(seriesName(series))) continue;
        if (!this.#exchange.share.holds(series.symbol)) continue;
        await this.#takeOne(chosen);
      }
    };
    await Promise.all(Array.from({ length: FILES_IN_FLIGHT }, worker));
  }

  async #takeOne(chosen: ChosenFile): Promise<void> {
    const { signal } = this.#options;
    const { series, url } = chosen.file;
    this.#tried.add(url);
    try {
      const outcome = await this.#exchange.work.run(
        { series, signal },
        (signal, waits) => this.#fetchOne(chosen, { signal, waits }),
      );
      if (outcome !== undefined) this.#count(outcome);
    } catch (error) {
      if (isCancelled(error, signal)) return;
      this.#archive.log.warn("a published file was not stored: its candles are asked of the API", {
        series: seriesName(series),
        file: url,
        error,
      });
      this.#count(error instanceof FileFaultError ? "faulty" : "failed");
    }
  }

  /** Undefined when the database or the exchange is given up, which the run tells itself. */
  async #fetchOne(
    chosen: ChosenFile,
    { signal, waits }: { readonly signal: AbortSignal; readonly waits: AbortSignal },
  ): Promise<FileOutcome | undefined> {
    const { file, host } = chosen;
    const { series } = file;
    const stamp = askedLease(this.#archive, series);
    const markets = this.#exchange.markets.value;
    // A file may take minutes: another node that gets the series fetches it anew.
    const fetched = await this.#download(file, { host, signal: waits });
    if (fetched === undefined) return "missing";
    if (fetched === "failed") return "failed";
    const { candles, sha256 } = fetched;
    if (markets !== undefined && candles.length > 0 && this.#isSampled(series)) {
      let difference: string | undefined;
      const isAsked = await this.#options.persist(async () => {
        difference = await this.#compare(series, { candles, markets, signal });
      }, series);
      // Without the API nothing proves the file.
      if (!isAsked) return undefined;
      if (difference !== undefined) return this.#distrust(file, difference);
    }
    // A difference may have been found in another file of the series meanwhile.
    if (this.#distrusted.has(seriesName(series))) return undefined;
    // The symbol may have come to mean another market since the file was chosen.
    if (marketIdOf(this.#exchange.markets.value, series) !== chosen.marketId) return undefined;
    let stored: StoredFile | undefined;
    const isStored = await this.#options.persist(async () => {
      try {
        stored = await storeFile(this.#archive, { chosen, candles, sha256, stamp, signal });
      } catch (error) {
        if (!isOfOtherMarket(error)) throw error;
        // Another program has found that out. The next page loads the markets again.
        this.#exchange.markets.outdate(markets);
      }
    }, series);
    if (!isStored || stored === undefined) return undefined;
    await this.#options.onStored(file, stored);
    return "stored";
  }

  async #compare(
    series: Series,
    options: Omit<Parameters<typeof findDifference>[2], "series"> & {
      readonly signal: AbortSignal;
    },
  ): Promise<string | undefined> {
    try {
      return await findDifference(this.#archive, this.#exchange, { series, ...options });
    } catch (error) {
      if (error instanceof MalformedPageError) {
        return `the API cannot be compared: ${error.message}`;
      }
      throw error;
    }
  }

  /** Fetches a file, with retries. Puts all files aside when they are refused or out of reach. */
  async #download(
    file: PublishedFile,
    { host, signal }: { readonly host: string; readonly signal: AbortSignal },
  ): Promise<Awaited<ReturnType<ArchivedExchange["client"]["files"]["fetch"]>> | "failed"> {
    const { config, clock, random } = this.#archive;
    const { retry: { attempts, ...delays }, fetchTimeoutMs: timeoutMs } = config;
    try {
      const fetched = await retry(
        () => this.#exchange.client.files.fetch(file, { timeoutMs, signal }),
        {
          ...{ ...delays, clock, random, signal },
          attempts: Math.min(attempts, ATTEMPTS_MAX),
          isRetryable: (error) =>
            error instanceof FetchError &&
            (error.kind === "transient" || error.kind === "rate_limited"),
          delayMsMin: (error) =>
            error instanceof FetchError && error.untilMs !== undefined
              ? error.untilMs - clock.now()
              : undefined,
        },
      );
      this.#failuresInARow = 0;
      return fetched;
    } catch (error) {
      if (isCancelled(error, signal)) throw error;
      const isDenied = error instanceof FetchError && error.kind === "denied";
      // Where every file is faulty it is not the archive that answers, but a page of a network, for example.
      if (isDenied || ++this.#failuresInARow >= FAILURES_MAX) this.#putAside(host, error);
      if (error instanceof FileFaultError) throw error;
      this.#archive.log.debug("a published file could not be fetched", { file: file.url, error });
      return "failed";
    }
  }

  #putAside(host: string, error: unknown): void {
    if (this.#asideWhy !== undefined) return;
    const { id } = this.#exchange;
    this.#asideWhy = errorText(error);
    this.#archive.log.warn(
      "published files are out of reach: all is asked of the API in this run",
      {
        exchange: id,
        host,
        error,
      },
    );
    const text = `${id}: the files at ${host} are out of reach (${this.#asideWhy}). ` +
      "All candles are asked of its API meanwhile";
    this.#archive.events.note({ kind: "files_away", exchange: id, text });
  }

  #distrust({ series, url }: PublishedFile, difference: string): FileOutcome {
    this.#distrusted.add(seriesName(series));
    const { exchange, symbol, timeframe } = series;
    this.#archive.log.warn(
      "a published file differs from the API, so nothing of it is stored and its series is asked of the API",
      { series: seriesName(series), file: url, difference },
    );
    const text = `${
      seriesName(series)
    }: the file ${url} differs from the API: ${difference}. Nothing of it was stored`;
    this.#archive.events.note({
      ...{ kind: "file_differs", exchange, symbol, timeframe: timeframe.text, text },
    });
    return "differs";
  }

  #isSampled(series: Series): boolean {
    const name = seriesName(series);
    const before = this.#compared.get(name) ?? 0;
    this.#compared.set(name, before + 1);
    return before < SAMPLED_FIRST || (before - SAMPLED_FIRST) % SAMPLED_EACH === SAMPLED_EACH - 1;
  }

  #count(outcome: FileOutcome): void {
    this.#archive.metrics.historyFiles.inc({ exchange: this.#exchange.id, outcome });
  }
}

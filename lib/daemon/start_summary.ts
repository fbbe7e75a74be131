/** What a daemon is at work on, told once at its start. @module */
import type { Archive } from "../archive/archive.ts";
import { readDatabaseUrl } from "../config/database_url.ts";
import { type Capacity, capacityProblem, isOverdrawn } from "../market/capacity.ts";
import { databaseBytes } from "../store/disk.ts";
import { timescaleVersion } from "../store/connection/timescale.ts";
import { VERSION } from "../version.ts";

/** Exchanges that have not answered by then are told of as such. */
const ANSWER_MS_MAX = 15_000;

export interface StartSummary {
  readonly version: string;
  readonly database: Archive["database"]["kind"];
  /** The version; null when there is none. */
  readonly timescaledb: string | null;
  /** The directory, or the server and its database. */
  readonly place: string;
  readonly bytes: number;
  readonly exchanges: number;
  /** Exchanges whose markets are not known yet, without those that other nodes ask. */
  readonly unanswered: readonly string[];
  readonly series: number;
  /** Exchanges whose polls do not fit, or leave too little time for a backfill, and what to do about each. */
  readonly tight: readonly TightExchange[];
  readonly url: string;
}

interface TightExchange {
  readonly exchange: string;
  readonly secondsAMinute: number;
  readonly symbolsMax: number;
  /** Whether polls are skipped. */
  readonly isOverdrawn: boolean;
  readonly problem: string;
}

/** Collects what exchanges answer at the start. */
export class FirstMarkets {
  readonly #capacities = new Map<string, Capacity | undefined>();
  readonly #isAnswered = Promise.withResolvers<void>();
  readonly #exchanges: readonly string[];

  constructor(exchanges: readonly string[]) {
    this.#exchanges = exchanges;
  }

  /** Call when the markets of an exchange were loaded, or could not be. */
  note(exchange: string, capacity: Capacity | undefined): void {
    this.#capacities.set(exchange, capacity);
    if (this.#exchanges.every((id) => this.#capacities.has(id))) this.#isAnswered.resolve();
  }

  /** What the daemon is at work on, once all exchanges have answered, or have had time to. */
  async summary(
    archive: Archive,
    { url, signal }: { readonly url: string; readonly signal: AbortSignal },
  ): Promise<StartSummary> {
    const { clock, database, exchanges } = archive;
    await Promise.race([this.#isAnswered.promise, clock.sleep(ANSWER_MS_MAX, { signal })]);
    const capacities = [...this.#capacities.values()].filter((one) => one !== undefined);
    return {
      version: VERSION,
      database: database.kind,
      timescaledb: await timescaleVersion(database),
      place: placeOf(archive),
      bytes: await databaseBytes(database),
      exchanges: exchanges.length,
      unanswered: this.#exchanges.filter((id) =>
        this.#capacities.get(id) === undefined && archive.leases.mayAsk(id)
      ),
      series: exchanges.reduce((sum, { series }) => sum + series.length, 0),
      tight: capacities.flatMap((capacity) => {
        const problem = capacityProblem(capacity);
        if (problem === undefined) return [];
        const { exchange, secondsAMinute, symbolsMax } = capacity;
        return [{
          exchange,
          secondsAMinute,
          symbolsMax,
          isOverdrawn: isOverdrawn(capacity),
          problem,
        }];
      }),
      url,
    };
  }
}

/** Where the archive is, without user and password. */
function placeOf({ config: { databaseUrl, dataDir } }: Archive): string {
  if (databaseUrl === undefined) return dataDir;
  const { hosts, database, user } = readDatabaseUrl(databaseUrl);
  const names = hosts.map(({ name, port }) => name.startsWith("/") ? name : `${name}:${port}`);
  return `${names.join(",")}/${database ?? user ?? ""}`;
}

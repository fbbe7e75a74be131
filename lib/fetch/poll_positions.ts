/** Until when the polls of this node have answers. What another node fetched meanwhile is read in the ledger. @module */
import type { Archive } from "../archive/archive.ts";
import { type Series, seriesName } from "../market/series.ts";
import { readCheckpoints } from "../store/ledger.ts";

interface Position {
  readonly series: Series;
  /** Of the lease by which it is known; undefined where no leases are kept. */
  readonly epoch: number | undefined;
  /** Until when the series is answered for without a hole, as far as polling knows. Milliseconds. */
  readonly answeredUntilMs?: number | undefined;
  /** When the exchange last answered for it. Milliseconds. */
  readonly askedMs?: number | undefined;
}

export class PollPositions {
  readonly #archive: Archive;
  readonly #positions = new Map<string, Position>();

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /** See {@linkcode Position}. */
  of(series: Series): Pick<Position, "answeredUntilMs" | "askedMs"> {
    return this.#positions.get(seriesName(series)) ?? {};
  }

  note(series: Series, change: Partial<Pick<Position, "answeredUntilMs" | "askedMs">>): void {
    const name = seriesName(series);
    this.#positions.set(name, {
      ...this.#positions.get(name) ?? { series, epoch: this.#epochOf(series) },
      ...change,
    });
  }

  /**
   * Sets until when each series is answered for, so that the first poll also fetches a short pause.
   *
   * @param meant some series of one exchange, by name. @default all
   * @throws StoreError
   */
  async resume(
    meant?: { readonly exchange: string; readonly names: ReadonlySet<string> },
  ): Promise<void> {
    for (const checkpoint of await readCheckpoints(this.#archive.database, meant?.exchange)) {
      const { series, covered, unsettled, followedFromMs } = checkpoint;
      const untilMs = covered.at(-1)?.untilMs ?? unsettled[0]?.sinceMs;
      // What is covered before the first poll is a range of its own.
      if (untilMs === undefined || followedFromMs === Infinity) continue;
      if (meant?.names.has(seriesName(series)) === false) continue;
      this.note(series, { answeredUntilMs: Math.max(untilMs, followedFromMs ?? -Infinity) });
    }
  }

  /**
   * Call before these series of an exchange are polled: they are this node's. Where a lease is new the ledger is read, because
   * another node may have fetched in between. Forgets what this node does not hold, and returns those series.
   *
   * @throws StoreError; the next call reads the ledger again.
   */
  async follow(exchange: string, own: readonly Series[]): Promise<readonly Series[]> {
    const { leases } = this.#archive;
    const left = [...this.#positions.values()].map(({ series }) => series).filter((series) =>
      series.exchange === exchange && !leases.holds(exchange, series.symbol)
    );
    for (const series of left) this.#positions.delete(seriesName(series));
    const gained = own.filter((series) => {
      const epoch = this.#epochOf(series);
      return epoch !== undefined && epoch !== this.#positions.get(seriesName(series))?.epoch;
    });
    if (gained.length === 0) return left;
    for (const series of gained) this.#positions.delete(seriesName(series));
    await this.resume({ exchange, names: new Set(gained.map(seriesName)) });
    // Also of series of which nothing is stored yet: they need not be looked for again.
    for (const series of gained) this.note(series, {});
    return left;
  }

  #epochOf({ exchange, symbol }: Series): number | undefined {
    return this.#archive.leases.stampOf(exchange, symbol)?.epoch;
  }
}

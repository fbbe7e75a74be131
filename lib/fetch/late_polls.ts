/** Tells once when the polls of an exchange need more than its pace allows, and once when they fall behind. @module */
import type { Archive } from "../archive/archive.ts";
import type { Config } from "../config/config.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { type Capacity, capacityProblem } from "../market/capacity.ts";
import { pollCapacity } from "./poll_capacity.ts";

/** Polls are late from this many ticks in a row on. One slow answer, or a full hour, makes one or two. */
const LATE_TICKS = 3;

interface Lateness {
  /** Ticks in a row in which series were left out. */
  readonly ticks: number;
  /** When the first of them was. Milliseconds. */
  readonly sinceMs: number;
}

/** Watches the polls of one archive, each exchange by itself. */
export class LatePolls {
  readonly #archive: Archive;
  readonly #late = new Map<string, Lateness>();
  /** What is wrong with the capacity, by exchange. */
  readonly #problems = new Map<string, string | undefined>();
  readonly #judged = new Map<string, { readonly markets: Markets; readonly config: Config }>();

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /** Judges whether the polls fit, if markets or settings are new; returns undefined if not, or if it fails. */
  async judge(exchange: ArchivedExchange, markets: Markets): Promise<Capacity | undefined> {
    const { config, log } = this.#archive;
    const judged = this.#judged.get(exchange.id);
    if (judged?.markets === markets && judged.config === config) return undefined;
    this.#judged.set(exchange.id, { markets, config });
    try {
      const capacity = await pollCapacity(this.#archive, exchange, markets);
      const problem = capacityProblem(capacity);
      if (problem !== undefined && problem !== this.#problems.get(exchange.id)) {
        log.warn("polls of an exchange need more time than its rate limit allows", {
          exchange: exchange.id,
          problem,
        });
      }
      this.#problems.set(exchange.id, problem);
      return capacity;
    } catch (error) {
      log.debug("could not compute whether polls fit", { exchange: exchange.id, error });
      return undefined;
    }
  }

  /** Call once a tick while this node asks nothing of an exchange. */
  leave({ id, work }: ArchivedExchange): void {
    for (const known of [this.#late, this.#problems, this.#judged]) known.delete(id);
    work.skippedPolls.forget();
  }

  /** Call once a tick with the number of series that are left out, because they are being asked for since before. */
  note(exchange: string, skipped: number): void {
    const { clock, database, log, metrics } = this.#archive;
    if (skipped > 0) metrics.pollsSkipped.inc({ exchange }, skipped);
    // Polls wait for the database, which is told of by itself.
    if (database.writes.trouble !== undefined) return;
    const nowMs = clock.now();
    this.#archive.exchanges.find(({ id }) => id === exchange)?.work.skippedPolls
      .note(nowMs, skipped > 0);
    const { ticks, sinceMs } = this.#late.get(exchange) ?? { ticks: 0, sinceMs: nowMs };
    if (skipped > 0) this.#late.set(exchange, { ticks: ticks + 1, sinceMs });
    else this.#late.delete(exchange);
    if (skipped > 0 && ticks + 1 === LATE_TICKS) {
      log.warn("polls are skipped because the polls before have not ended", {
        exchange,
        skipped,
        problem: this.#problems.get(exchange) ??
          "the exchange answers too slowly or not at all: titan10 status shows its last error, " +
            "titan10 doctor how to fix it",
      });
    }
    if (skipped === 0 && ticks >= LATE_TICKS) {
      log.info("polls are on time again", { exchange, seconds: (nowMs - sinceMs) / 1000 });
    }
  }
}

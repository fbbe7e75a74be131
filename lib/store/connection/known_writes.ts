/** What is known of a database's writes: whether it takes them, and whose candles they were. That it answers reads does not tell. @module */
import type { Clock } from "../../clock.ts";
import type { Series } from "../../market/series.ts";
import { codeOf, isConnectionLost, StoreError } from "./store_error.ts";
import { DeadlineError } from "../../policy/deadline.ts";

/** A page of candles, or a row of the program's own. */
type WriteKind = "page" | "row";

interface Write {
  readonly kind: WriteKind;
  /** How many writes had begun before. */
  readonly number: number;
  readonly beganMs: number;
}

/** Why a write was not taken. */
interface Failure extends Write {
  readonly endedMs: number;
  readonly why: string;
}

/** Is told of which series candles may have been written. */
type Follower = (series: Series) => void;

/** A write that takes longer waits for something: a lock, a query, a disk or a network. */
const WRITE_MS_MAX = 5_000;

/**
 * For so long a page that was not taken counts although rows are taken since: a row fits where a page does not, and may be
 * free of the lock that pages wait for. Pages that are owed are tried much more often.
 */
const PAGE_FAILURE_MS = 10 * 60_000;

/** Notes how writes end. Those who read it need not ask the database. */
export class KnownWrites {
  readonly #clock: Clock;
  #begun = 0;
  readonly #underWay = new Set<Write>();
  readonly #failures = new Map<WriteKind, Failure>();
  /** How many writes had begun when one was taken the last time. What failed or waits since then began later. */
  readonly #taken = new Map<WriteKind, number>();
  #newestMs = -Infinity;
  readonly #followers = new Set<Follower>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the newest write was taken, in milliseconds. */
  get newestMs(): number {
    return this.#newestMs;
  }

  /** Why the database takes no writes, as the rest of a sentence; undefined while nothing is known against it. */
  get trouble(): string | undefined {
    const nowMs = this.#clock.now();
    for (const failure of this.#failures.values()) {
      const isOld = failure.kind === "page" && nowMs - failure.endedMs > PAGE_FAILURE_MS;
      if (!isOld && this.#isNews(failure)) return failure.why;
    }
    for (const write of this.#underWay) {
      const isLate = nowMs - write.beganMs > WRITE_MS_MAX;
      if (isLate && this.#isNews(write)) return WAITS;
    }
    return undefined;
  }

  /** Whether a write of this kind waits or runs. */
  isUnderWay(kind: WriteKind): boolean {
    return this.#underWay.values().some((write) => write.kind === kind);
  }

  /**
   * Runs a write and notes how it ends.
   *
   * @param isTaken whether anything was written. One that wrote nothing tells nothing of the database. @default always
   * @throws what the write throws.
   */
  async note<T>(
    kind: WriteKind,
    run: () => Promise<T>,
    isTaken: (written: T) => boolean = () => true,
  ): Promise<T> {
    const write = { kind, number: this.#begun++, beganMs: this.#clock.now() };
    this.#underWay.add(write);
    try {
      const written = await run();
      if (!isTaken(written)) return written;
      this.#taken.set(kind, this.#begun);
      this.#newestMs = this.#clock.now();
      return written;
    } catch (error) {
      const why = whyNotTaken(error);
      if (why !== undefined) {
        this.#failures.set(kind, { ...write, endedMs: this.#clock.now(), why });
      }
      throw error;
    } finally {
      this.#underWay.delete(write);
    }
  }

  /** Tells that candles of these series may have been written. */
  tell(series: Iterable<Series>): void {
    if (this.#followers.size === 0) return;
    for (const one of series) for (const follower of this.#followers) follower(one);
  }

  /** Calls `follower` after each write of this process. Returns what ends that. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Whether no write that would tell otherwise was taken since this one began. A page tells of rows, too. */
  #isNews({ kind, number }: Write): boolean {
    const takenPage = this.#taken.get("page") ?? 0;
    const taken = kind === "page" ? takenPage : Math.max(takenPage, this.#taken.get("row") ?? 0);
    return number >= taken;
  }
}

const WAITS = "a write has waited for over 5 s, for a lock, a query, the disk or the network";

/** Undefined when the row or page itself was refused, which says nothing about others. */
function whyNotTaken(error: unknown): string | undefined {
  const cause = error instanceof StoreError ? error.cause : error;
  const code = codeOf(cause) ?? "";
  if (cause instanceof DeadlineError || code === "55P03" || code === "57014") return WAITS;
  if (isConnectionLost(cause)) return "it is away";
  if (code === "25006") return "it is read-only";
  if (code === "53100") return "its disk is full";
  if (code === "53200") return "it has no memory left";
  if (code === "42501") return "its user lacks a permission";
  if (/^(?:53|58|XX)/.test(code)) return `it fails (${code})`;
  // Without a code it is not the server that refused.
  if (code === "" && error instanceof StoreError) return "it does not run";
  return undefined;
}

/** Answers from the database: how many are read at once, and for how long. @module */
import type { Clock } from "../clock.ts";
import { withDeadline } from "../policy/deadline.ts";
import { NoSlotError, Slots } from "../policy/slots.ts";
import { type Answer, type Asked, jsonAnswer } from "./http_answer.ts";

/** How many requests are answered from the database at once. The others wait, so that a few large ones do not fill the memory. */
const AT_ONCE = 4;

/** How many more may wait. An opened page asks for three things. */
const WAITING_MAX = 64;

/** Of one address, running or waiting: half of them, so that no address keeps out the others. */
const PER_PEER_MAX = (AT_ONCE + WAITING_MAX) / 2;

/** Who has not got an answer by then is refused. */
const ANSWER_MS_MAX = 30_000;

/** Reads a document, as long as the signal is not aborted. */
type Read<T> = (signal: AbortSignal) => Promise<T>;

/** Answers requests from the database: a few at once, and each only while its visitor waits for it. */
export class DatabaseAnswers {
  readonly #clock: Clock;
  readonly #slots = new Slots({ atOnce: AT_ONCE, waitingMax: WAITING_MAX });
  readonly #peers = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws NoSlotError, DeadlineError when too many ask; what `read` throws. */
  async json(read: Read<unknown>, signal: AbortSignal): Promise<Answer> {
    return jsonAnswer(await this.#run(read, signal));
  }

  /** Reads what only one visitor asks for. @throws as `json` does. */
  async readFor<T>({ peer, signal }: Asked, read: Read<T>): Promise<T> {
    const ofPeer = this.#peers.get(peer) ?? 0;
    if (ofPeer >= PER_PEER_MAX) throw new NoSlotError(PER_PEER_MAX);
    this.#peers.set(peer, ofPeer + 1);
    try {
      return await this.#run(read, signal);
    } finally {
      const left = this.#peers.get(peer)! - 1;
      if (left === 0) this.#peers.delete(peer);
      else this.#peers.set(peer, left);
    }
  }

  #run<T>(read: Read<T>, signal: AbortSignal): Promise<T> {
    return withDeadline(
      ANSWER_MS_MAX,
      (signal) => this.#slots.run(() => read(signal), { signal }),
      { clock: this.#clock, signal, name: "the answer" },
    );
  }
}

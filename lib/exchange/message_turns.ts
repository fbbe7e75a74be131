/** Hands messages on, so many in each turn of the event loop: timers have their turns in between. @module */
import type { Clock } from "../clock.ts";
import { messageLength } from "./stream_message.ts";

interface MessageTurnsOptions {
  readonly clock: Clock;
  /** Drops what waits. */
  readonly signal: AbortSignal;
  readonly take: (data: unknown) => void;
  /** Called when more waits than may. */
  readonly onFull: () => void;
}

/** Ten milliseconds of work. The platform alone would hand on 40,000 at once, all that its buffers hold. */
const TURN_MESSAGES_MAX = 2_000;

/** A burst of 100,000 messages of candles is 15 MB. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;

export class MessageTurns {
  readonly #options: MessageTurnsOptions;
  /** Oldest first. */
  #waiting: unknown[] = [];
  #waitingBytes = 0;
  #taken = 0;
  #isTurning = false;

  constructor(options: MessageTurnsOptions) {
    this.#options = options;
  }

  /** Hands a message on, at once or after those that wait. */
  add(data: unknown): void {
    const { signal, take, onFull } = this.#options;
    if (signal.aborted) return;
    if (!this.#isTurning) void this.#turn();
    if (this.#waiting.length === 0 && this.#taken < TURN_MESSAGES_MAX) {
      this.#taken++;
      return take(data);
    }
    this.#waiting.push(data);
    this.#waitingBytes += messageLength(data);
    if (this.#waitingBytes > WAITING_BYTES_MAX) onFull();
  }

  async #turn(): Promise<void> {
    const { clock, signal, take } = this.#options;
    this.#isTurning = true;
    do {
      await clock.sleep(0, { signal }).catch(() => {});
      this.#taken = 0;
      for (const data of this.#waiting.splice(0, TURN_MESSAGES_MAX)) {
        if (signal.aborted) break;
        this.#taken++;
        this.#waitingBytes -= messageLength(data);
        take(data);
      }
    } while (this.#waiting.length > 0 && !signal.aborted);
    this.#waiting = [];
    this.#isTurning = false;
  }
}

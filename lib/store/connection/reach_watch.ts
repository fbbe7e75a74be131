/** Whether a server is away, as its statements tell. @module */

/** A server that is away. */
interface AwayReport {
  /** What showed it, and what was being done. */
  readonly error: unknown;
  readonly action: string;
  /** Whether it was there before. */
  readonly wasThere: boolean;
}

/** Called when the server is away, and with undefined when it is back. */
export type OnReach = (away: AwayReport | undefined) => void;

/** One statement. */
interface Look {
  /** Call with why the server seems to be away, or with undefined when it has answered. */
  readonly end: (failure: Omit<AwayReport, "wasThere"> | undefined) => void;
}

export class ReachWatch {
  readonly #onReach: OnReach | undefined;
  #isAway = false;
  #wasThere = false;
  #changes = 0;

  constructor(onReach: OnReach | undefined) {
    this.#onReach = onReach;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /**
   * Call when a statement begins. One that began before the server was last found to be away, or back, tells nothing new: the
   * processes of a server whose main process was killed end what they have begun.
   */
  look(): Look {
    const changes = this.#changes;
    return {
      end: (failure) => {
        const isAway = failure !== undefined;
        const wasThere = this.#wasThere;
        this.#wasThere ||= !isAway;
        if (isAway === this.#isAway || changes !== this.#changes) return;
        this.#isAway = isAway;
        this.#changes++;
        this.#onReach?.(isAway ? { ...failure, wasThere } : undefined);
      },
    };
  }
}

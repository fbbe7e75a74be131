/**
 * Streams that fail at random, from a seed: connections end without a goodbye, stay open and carry nothing more, or are
 * open, and the exchange says nothing. What a stream tells is true.
 * @module
 */
import type { ManyStreams } from "../support/many_streams.ts";
import { randomOf } from "./storm.ts";

/** A new fault so often, at one of the streams. Milliseconds. */
const EVERY_MS = 3_000;

/** Messages come every second: some are lost by then. Milliseconds. */
const SWALLOWING_MS = 2_500;

/** Longer than the program waits for any exchange but Gemini, sometimes. Milliseconds. */
const SILENT_MS_MAX = 60_000;

export interface StreamStorm {
  /** Faults so far, by kind. */
  readonly struck: Readonly<Record<"killed" | "halfOpen" | "silent", number>>;
  /** Ends all faults at once, and brings no more. What has lost messages carries none again. */
  end(): void;
}

export function startStreamStorm({ streams }: ManyStreams, seed: number): StreamStorm {
  const random = randomOf(seed);
  const struck = { killed: 0, halfOpen: 0, silent: 0 };
  const endings = new Map<ReturnType<typeof setTimeout>, () => void>();
  const endAfter = (ms: number, end: () => void): void => {
    const timer = setTimeout(() => {
      endings.delete(timer);
      end();
    }, ms);
    endings.set(timer, end);
  };
  const strike = (): void => {
    const one = streams[Math.floor(random() * streams.length)];
    if (one === undefined) return;
    const kind = random();
    if (kind < 1 / 3) {
      struck.killed++;
      one.proxy.cut();
    } else if (kind < 2 / 3) {
      struck.halfOpen++;
      one.proxy.swallow(true);
      endAfter(SWALLOWING_MS, () => one.proxy.swallow(false));
    } else {
      struck.silent++;
      one.stream.silence(true);
      endAfter(random() * SILENT_MS_MAX, () => one.stream.silence(false));
    }
  };
  const timer = setInterval(strike, EVERY_MS);
  return {
    struck,
    end: () => {
      clearInterval(timer);
      for (const [timer, end] of endings) {
        clearTimeout(timer);
        end();
      }
      endings.clear();
    },
  };
}

/** How each fault of an exchange is brought about and taken away. @module */
import { systemClock } from "../../lib/clock.ts";
import type { Fault, FaultRule } from "../support/local_exchange/fault.ts";
import type { BadValue } from "../support/local_exchange/row_fault.ts";
import type { Random } from "./random.ts";
import type { Scene } from "./scene.ts";
import type { FaultName } from "./schedule.ts";
import type { WireFault } from "./wire.ts";

/** Takes the fault away again. */
export type End = () => Promise<void> | void;
export type Begin = (scene: Scene, random: Random) => Promise<End> | End;

const BAD_VALUES: readonly BadValue[] = [
  "high_below_low",
  "negative_price",
  "zero_price",
  "nan_text",
  "null_value",
  "misaligned_time",
  "missing_volume",
];
const HOUR_MS = 3_600_000;

export const EXCHANGE_FAULTS = {
  "latency": rule((random) => ({ kind: "latency", ms: random.whole(50, 1_500) })),
  "status": rule((random) => ({
    kind: "status",
    status: random.pick([429, 418, 500, 502, 503, 504, 400, 403, 404, 451]),
    retryAfterSeconds: 1,
  })),
  "hang": rule((random) => ({ kind: "hang", afterHeaders: random.next() < 0.5 })),
  "reset": rule(() => ({ kind: "reset" })),
  "truncated": rule(() => ({ kind: "truncated" })),
  "html": rule(() => ({ kind: "html" })),
  "empty body": rule(() => ({ kind: "empty_body" })),
  "short page": rowsRule((random) => ({ kind: "short_page", rows: random.whole(1, 20) })),
  "empty page": rowsRule(() => ({ kind: "empty_page" })),
  "moved start": rowsRule((random) => ({ kind: "moved_start", rows: random.whole(1, 20) })),
  "duplicate rows": rowsRule((random) => ({ kind: "duplicate_rows", rows: random.whole(1, 5) })),
  "unordered rows": rowsRule(() => ({ kind: "unordered_rows" })),
  "forming candle": rowsRule(() => ({ kind: "forming" })),
  // An older candle that is given wrong is nobody's to doubt: only the newest are asked for again.
  "revision": (scene) =>
    inForce(scene, {
      when: { about: "candles", timeframe: "1s", sinceMs: systemClock.now() - 1_000 },
      fault: { kind: "revision", asks: 1 },
    }),
  "holes": (scene, random) => {
    const sinceMs = systemClock.now() - random.whole(1, 600) * 60_000;
    const untilMs = sinceMs + random.whole(1, 60) * 60_000;
    return inForce(scene, {
      when: { about: "candles" },
      fault: { kind: "holes", sinceMs, untilMs },
    });
  },
  "bad value": rowsRule((random) => ({
    kind: "bad_value",
    value: random.pick(BAD_VALUES),
    row: random.whole(0, 3),
  })),
  "slow drip": wire("slow drip"),
  "wrong content length": wire("wrong content length"),
  "gzip garbage": wire("gzip garbage"),
  "huge body": wire("huge body"),
  "redirect loop": wire("redirect loop"),
  "untrusted TLS": wire("noise"),
  "clock ahead": shifted((random) => random.whole(1, 5) * HOUR_MS),
  "clock behind": shifted((random) => -random.pick([5_000, 60_000, HOUR_MS])),
  "vanishing symbol": (scene, random) => {
    const { exchange, symbols } = scene;
    const market = random.pick(symbols);
    const forget = random.next() < 0.5;
    // Another one may have taken it already.
    const isThere = exchange.symbols.all().some(({ symbol }) => symbol === market.symbol);
    if (isThere) exchange.symbols.delist(market.symbol, { forget });
    return () => exchange.symbols.list(market);
  },
} as const satisfies Partial<Readonly<Record<FaultName, Begin>>>;

function rule(fault: (random: Random) => Fault): Begin {
  return (scene, random) => {
    const about = random.pick(["candles", "candles", "candles", "markets", undefined] as const);
    return inForce(scene, {
      ...(about === undefined ? {} : { when: { about } }),
      fault: fault(random),
    });
  };
}

/** Sometimes of one symbol alone. */
function rowsRule(fault: (random: Random) => Fault): Begin {
  return (scene, random) => {
    const symbol = random.pick([undefined, ...scene.symbols.map(({ symbol }) => symbol)]);
    const when = { about: "candles", ...(symbol === undefined ? {} : { symbol }) } as const;
    return inForce(scene, { when, fault: fault(random) });
  };
}

function inForce({ exchange }: Scene, fault: FaultRule): End {
  const handle = exchange.faults.add(fault);
  return () => handle.remove();
}

function wire(fault: WireFault): Begin {
  return ({ wire }) => {
    wire.set(fault);
    return () => wire.set(undefined);
  };
}

function shifted(shiftMs: (random: Random) => number): Begin {
  return ({ exchangeClock }, random) => {
    exchangeClock.shiftMs = shiftMs(random);
    return () => {
      exchangeClock.shiftMs = 0;
    };
  };
}

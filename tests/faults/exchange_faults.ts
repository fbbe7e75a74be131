/** How each fault of an exchange is brought about and taken away. @module */
import type { Fault, FaultRule } from "../support/local_exchange/fault.ts";
import type { BadValue } from "../support/local_exchange/row_fault.ts";
import { dialectOf } from "./exchange_class.ts";
import { secondOf } from "./local_markets.ts";
import type { Random } from "./random.ts";
import { busyAnswers, DENIED_PAGES } from "./refusing_answers.ts";
import type { Scene } from "./scene.ts";
import type { FaultName } from "./schedule.ts";
import type { StreamWireFault } from "./stream_wire.ts";
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

/** How late after its close an exchange may still change a candle. */
const LATE_MS = { least: 6_000, most: 90_000 };

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
      when: { about: "candles", timeframe: "1s", sinceMs: scene.clock.now() - 1_000 },
      fault: { kind: "revision", asks: 1 },
    }),
  "holes": (scene, random) => {
    const sinceMs = scene.clock.now() - random.whole(1, 600) * 60_000;
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
    const { exchange, symbols, seconds } = scene;
    const single = symbols.filter(({ symbol }) => !seconds.has(symbol));
    if (single.length === 0) return () => {};
    const market = random.pick(single);
    const forget = random.next() < 0.5;
    // Another one may have taken it already.
    const isThere = exchange.symbols.all().some(({ symbol }) => symbol === market.symbol);
    if (isThere) exchange.symbols.delist(market.symbol, { forget });
    return () => exchange.symbols.list(market);
  },
  "busy": (scene, random) => {
    const { exchange } = dialectOf(scene.schedule.exchange);
    return rule((random) => random.pick(busyAnswers(exchange)))(scene, random);
  },
  "denied": rule((random) => random.pick(DENIED_PAGES)),
  "late final": rowsRule((random) => ({
    kind: "late_final",
    lateMs: random.whole(LATE_MS.least, LATE_MS.most),
  })),
  // A market that is another one stays so, else the same candles would be asked for twice more.
  "market replaced": (scene, random) => {
    listSecond(scene, random, { isReplaced: true });
    return () => {};
  },
  "market doubled": (scene, random) => {
    listSecond(scene, random, { isReplaced: false });
    return () => {};
  },
  "kind refused": (scene, random) => {
    const fault: Fault = random.pick([
      // Not 403, by which Binance means that it was asked too much, at whichever of its hosts.
      { kind: "status", status: 404 },
      { kind: "status", status: 500 },
      ...DENIED_PAGES,
    ]);
    const ends = ["exchangeInfo", "klines"].map((endpoint) =>
      inForce(scene, { when: { path: `linear/${endpoint}` }, fault })
    );
    const isForGood = random.next() < 0.5;
    if (!isForGood) return () => ends.forEach((end) => end());
    for (const { symbol } of scene.symbols) if (symbol.includes(":")) scene.refused.add(symbol);
    return () => {};
  },
  "stream killed": stream("killed"),
  "stream half-open": stream("half-open"),
  "stream unopened": stream("unopened"),
  "stream garbage": stream("garbage"),
  "stream late": stream("late"),
  "stream two finals": stream("two finals"),
  "stream flat": stream("flat"),
  "stream mistaken": stream("mistaken"),
  "stream missing": stream("missing"),
  "stream burst": stream("burst"),
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

/** Lists a second market under a symbol that has one; a symbol gets no third. */
function listSecond(
  { exchange, exchangeClock, symbols, seconds }: Scene,
  random: Random,
  { isReplaced }: { readonly isReplaced: boolean },
): void {
  const forget = random.next() < 0.5;
  const traded = exchange.symbols.all().filter(({ delistedAtMs }) => delistedAtMs === undefined);
  const free = symbols.filter(({ symbol }) =>
    !symbol.includes(":") && !seconds.has(symbol) && traded.some((one) => one.symbol === symbol)
  );
  if (free.length === 0) return;
  const first = random.pick(free);
  const second = secondOf(first);
  if (isReplaced) exchange.symbols.delist(first.symbol, { forget });
  exchange.symbols.list(second);
  const replacedAtMs = isReplaced ? exchangeClock.now() : undefined;
  seconds.set(first.symbol, { first, second, replacedAtMs });
}

function inForce({ exchange }: Scene, fault: FaultRule): () => void {
  const handle = exchange.faults.add(fault);
  return () => handle.remove();
}

function wire(fault: WireFault): Begin {
  return ({ wire }) => {
    wire.set(fault);
    return () => wire.set(undefined);
  };
}

function stream(fault: StreamWireFault): Begin {
  return ({ streamWire }) => {
    streamWire.set(fault);
    return () => streamWire.set(undefined);
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

/** What follows from the bounds of a series: worked out in SQL, by the function `titan10_bounds`. @module */
import assert from "node:assert/strict";
import {
  type Coverage,
  coverageCandles,
  coverageOf,
  intersect,
  subtract,
} from "../../lib/market/coverage.ts";
import { floorTime, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { readGaps } from "../support/gap_rows.ts";
import { fc } from "../support/property.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const DAY_MS = 86_400_000;

/** What is known of a series. Days since 1970. */
interface Known {
  readonly wanted: readonly [number, number];
  readonly covered: readonly (readonly [number, number])[];
  readonly first: number | undefined;
  readonly isFirstConfirmed: boolean;
  readonly listedFrom: number | undefined;
  readonly reachFrom: number | undefined;
  readonly rowsFrom?: number | undefined;
}

interface Bounds {
  readonly spans: readonly { readonly state: string; readonly window: Window }[];
  readonly unexplained: Bounds["spans"];
  readonly unconfirmed: Window | undefined;
}

for (const kind of DATABASE_KINDS) {
  Deno.test(`what follows from the bounds of a series, on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind, { isUnmigrated: true });
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    try {
      const migrations = await readMigrations();
      await t.step(
        "an archive that kept it in rows shows the same after its migration",
        () => migrateRows(database, migrations),
      );
      for (const [name, known, expected] of EXAMPLES) {
        await t.step(name, async () => {
          const [bounds] = await boundsOf(database, [{ ...NOTHING, ...known }]);
          const told = [...bounds?.spans ?? [], ...bounds?.unexplained ?? []];
          assert.deepEqual(told.map(textOf), expected);
        });
      }
      await t.step(
        "empty time right before the first candle is asked for once more",
        () => confirm(database),
      );
      const samples = fc.sample(KNOWN, { numRuns: 500, seed: 14 });
      const bounds = await boundsOf(database, samples);
      for (const [name, check] of Object.entries(PROPERTIES)) {
        await t.step(`whatever its bounds, ${name}`, () => {
          for (const [index, known] of samples.entries()) {
            check(known, bounds[index]!, JSON.stringify(known));
          }
        });
      }
      await t.step("candles are counted as the program counts them", () => count(database));
    } finally {
      await opened.drop();
    }
  });
}

const NOTHING: Known = {
  wanted: [0, 100],
  covered: [],
  first: undefined,
  isFirstConfirmed: true,
  listedFrom: undefined,
  reachFrom: undefined,
};

/** Spans as `state from-until`. */
const EXAMPLES: readonly (readonly [string, Partial<Known>, readonly string[]])[] = [
  ["empty answers down to where nothing is owed lie before the listing", {
    covered: [[0, 100]],
    first: 40,
  }, ["before_listing 0-40"]],
  ["empty answers say nothing as long as older time is owed", {
    covered: [[30, 100]],
    first: 40,
  }, ["suspected 30-40"]],
  ["nor as long as time between them is owed", {
    covered: [[0, 10], [30, 100]],
    first: 40,
  }, ["suspected 0-10", "suspected 30-40"]],
  ["rows that were rejected show where the candles begin", {
    covered: [[0, 100]],
    rowsFrom: 30,
  }, ["before_listing 0-30"]],
  ["also where better ones came after them", {
    covered: [[0, 100]],
    rowsFrom: 30,
    first: 60,
    isFirstConfirmed: false,
  }, ["before_listing 0-30"]],
  ["time before a known listing needs no answer", {
    covered: [[41, 100]],
    first: 41,
    listedFrom: 40,
  }, ["before_listing 0-40"]],
  ["an empty answer after a listing belongs to the time before it", {
    covered: [[40, 100]],
    first: 41,
    listedFrom: 40,
  }, ["before_listing 0-41"]],
  ["what the exchange no longer keeps was lost to retention, what was answered before was not", {
    covered: [[60, 70], [90, 100]],
    first: 60,
    reachFrom: 90,
  }, ["retention 0-60", "retention 70-90"]],
  ["silence at the edge of what the exchange keeps is its retention, not a listing", {
    covered: [[90, 100]],
    first: 91,
    reachFrom: 90,
  }, ["retention 0-91"]],
  ["a symbol whose fine candles begin days after its listing lost the older ones to retention", {
    covered: [[40, 100]],
    first: 80,
    listedFrom: 40,
  }, ["before_listing 0-40", "retention 40-80"]],
  ["a symbol that came back is owed neither its absence nor what its first listing lacked", {
    covered: [[20, 50], [80, 100]],
    first: 20,
    listedFrom: 80,
  }, ["before_listing 0-20", "before_listing 50-80"]],
  ["a market without any candle was not listed yet as far as it was answered for", {
    covered: [[0, 99]],
  }, ["before_listing 0-99"]],
  ["a series that was never asked for has no reasons", {}, []],
];

async function confirm(database: Database): Promise<void> {
  const known = { ...NOTHING, covered: [[0, 100] as const], first: 40, isFirstConfirmed: false };
  const edges = async (different: Partial<Known>): Promise<string | undefined> => {
    const [bounds] = await boundsOf(database, [{ ...known, ...different }]);
    return bounds?.unconfirmed === undefined ? undefined : textOf({
      state: "unconfirmed",
      window: bounds.unconfirmed,
    });
  };
  const [bounds] = await boundsOf(database, [known]);
  assert.deepEqual(bounds?.spans.map(textOf), ["before_listing 0-40"]);
  assert.equal(await edges({}), "unconfirmed 0-40");
  assert.equal(await edges({ isFirstConfirmed: true }), undefined);
  assert.equal(await edges({ covered: [[10, 100]] }), undefined, "older is owed");
  assert.equal(await edges({ first: 0 }), undefined, "nothing lies before");
  assert.equal(await edges({ first: undefined }), undefined);
  const cameBack = { covered: [[20, 50], [80, 100]] as const, first: 21, listedFrom: 80 };
  assert.equal(await edges(cameBack), undefined, "an earlier listing");
}

const day = fc.integer({ min: 0, max: 40 });
const maybeDay = fc.option(day, { nil: undefined });

/** Bounds in whole days; the first candle, where there is one, lies inside coverage. */
const KNOWN: fc.Arbitrary<Known> = fc.record({
  wanted: fc.tuple(day, day).map(([a, b]) => [Math.min(a, b), Math.max(a, b) + 1] as const),
  covered: fc.array(
    fc.tuple(day, fc.integer({ min: 1, max: 12 })).map(([since, days]) =>
      [since, since + days] as const
    ),
    { maxLength: 5 },
  ),
  place: fc.option(fc.nat(100), { nil: undefined }),
  isFirstConfirmed: fc.boolean(),
  listedFrom: maybeDay,
  reachFrom: maybeDay,
}).map(({ place, ...known }) => {
  const days = coverage(known.covered).flatMap(({ sinceMs, untilMs }) =>
    Array.from({ length: (untilMs - sinceMs) / DAY_MS }, (_, index) => sinceMs / DAY_MS + index)
  );
  return { ...known, first: place === undefined ? undefined : days[place % days.length] };
});

type Check = (known: Known, bounds: Bounds, message: string) => void;

const PROPERTIES: Readonly<Record<string, Check>> = {
  "spans with a reason lie apart and hold no candle": ({ covered, first }, { spans }, message) => {
    for (const [index, { window: { sinceMs, untilMs } }] of spans.entries()) {
      assert(sinceMs < untilMs, message);
      const endMs = spans[index - 1]?.window.untilMs ?? -Infinity;
      assert(endMs <= sinceMs, `two reasons for one time: ${message}`);
    }
    if (first === undefined) return;
    const held = intersect(coverage(covered), [days(first, Infinity)]);
    assert.deepEqual(intersect(windowsOf(spans), held), [], message);
  },
  "no reason lies outside of what is wanted or covered": (
    { wanted, covered },
    { spans },
    message,
  ) => {
    const [begin = Infinity] = coverage(covered).map(({ sinceMs }) => sinceMs / DAY_MS);
    const within = [days(Math.min(wanted[0], begin), wanted[1])];
    assert.deepEqual(subtract(windowsOf(spans), within), [], message);
  },
  "what nobody has answered for has a reason only from its listing or reach": (
    { covered, listedFrom = -Infinity, reachFrom = -Infinity },
    { spans },
    message,
  ) => {
    for (const { untilMs } of subtract(windowsOf(spans), coverage(covered))) {
      assert(untilMs <= Math.max(listedFrom, reachFrom) * DAY_MS, message);
    }
  },
  "what was answered for before the first candle has none while older time is owed": (
    { wanted, covered, first, listedFrom = -Infinity, reachFrom = -Infinity },
    { spans },
    message,
  ) => {
    if (first === undefined) return;
    const bounded = Math.max(listedFrom, reachFrom);
    const owed = intersect(subtract([days(...wanted)], coverage(covered)), [days(bounded, first)]);
    if (owed.length === 0) return;
    for (const { window } of spans) assert(window.untilMs <= bounded * DAY_MS, message);
  },
  "what was answered for before the first candle is in one state": (
    { covered, first },
    { spans, unexplained },
    message,
  ) => {
    const before = intersect(coverage(covered), [days(-Infinity, first ?? Infinity)]);
    assert.deepEqual(subtract(before, windowsOf([...spans, ...unexplained])), [], message);
    assert.deepEqual(intersect(windowsOf(spans), windowsOf(unexplained)), [], message);
    assert.deepEqual(subtract(windowsOf(unexplained), before), [], message);
  },
  "what is asked for to confirm a first candle lies right before it, with no reason before": (
    { covered, first, isFirstConfirmed, listedFrom = -Infinity },
    { unconfirmed },
    message,
  ) => {
    if (unconfirmed === undefined) return;
    assert.equal(unconfirmed.untilMs, first! * DAY_MS, message);
    const unanswered = subtract([unconfirmed], coverage(covered));
    assert.deepEqual(subtract(unanswered, [days(-Infinity, listedFrom)]), [], message);
    assert.equal(isFirstConfirmed, false, message);
  },
};

/** What the function says of each; in one statement, since there are many. */
async function boundsOf(
  { sql }: Database,
  all: readonly Known[],
): Promise<readonly Bounds[]> {
  const time = (day: number | undefined): string | null =>
    day === undefined ? null : new Date(day * DAY_MS).toISOString();
  const entries = all.map(({ wanted, covered, first, isFirstConfirmed, ...known }) => ({
    since: time(wanted[0]),
    until: time(wanted[1]),
    covered: `{${covered.map(([since, until]) => `[${time(since)},${time(until)})`).join(",")}}`,
    first: time(first),
    first_confirmed: isFirstConfirmed ? time(first) : null,
    listed_from: time(known.listedFrom),
    reach_from: time(known.reachFrom),
    rows_from: time(known.rowsFrom),
  }));
  type SpanRows = readonly [string, number, number][];
  const rows = await sql.unsafe<
    { spans: SpanRows; unexplained: SpanRows; unconfirmed: number[] }[]
  >(
    `select (select coalesce(json_agg(json_build_array(state, extract(epoch from lower(range)) * 1000,
                                                       extract(epoch from upper(range)) * 1000)
                                      order by range), '[]')
             from (select 'before_listing' as state, unnest(before_listing) as range
                   union all select 'retention', unnest(retention)) as span) as spans,
            (select coalesce(json_agg(json_build_array('suspected', extract(epoch from lower(range)) * 1000,
                                                       extract(epoch from upper(range)) * 1000)
                                      order by range), '[]')
             from unnest(titan10_unexplained(jsonb_populate_record(null::checkpoints, entry), before_listing,
                                             retention)) as range) as unexplained,
            json_build_array(extract(epoch from lower(unconfirmed)) * 1000,
                             extract(epoch from upper(unconfirmed)) * 1000) as unconfirmed
     from jsonb_array_elements($1::text::jsonb) with ordinality as entry (entry, n)
     cross join lateral titan10_bounds(
       jsonb_populate_record(null::checkpoints, entry), (entry ->> 'since')::timestamptz,
       (entry ->> 'until')::timestamptz, null)
     order by n`,
    [JSON.stringify(entries)],
  );
  const spansOf = (rows: SpanRows): Bounds["spans"] =>
    rows.map(([state, sinceMs, untilMs]) => ({ state, window: { sinceMs, untilMs } }));
  return rows.map(({ spans, unexplained, unconfirmed: [sinceMs, untilMs] }) => ({
    spans: spansOf(spans),
    unexplained: spansOf(unexplained),
    unconfirmed: typeof sinceMs === "number" ? { sinceMs, untilMs: untilMs! } : undefined,
  }));
}

function textOf({ state, window }: Bounds["spans"][number]): string {
  return `${state} ${window.sinceMs / DAY_MS}-${window.untilMs / DAY_MS}`;
}

function windowsOf(spans: Bounds["spans"]): Coverage {
  return coverageOf(spans.map(({ window }) => window));
}

function coverage(covered: Known["covered"]): Coverage {
  return coverageOf(covered.map(([since, until]) => days(since, until)));
}

function days(since: number, until: number): Window {
  return { sinceMs: since * DAY_MS, untilMs: until * DAY_MS };
}

/** Writes what the program wrote before: rows marked `is_bound`, beside gaps of the other kind. */
async function migrateRows(
  database: Database,
  migrations: Awaited<ReturnType<typeof readMigrations>>,
): Promise<void> {
  const { sql } = database;
  await migrate(database, migrations.filter(({ version }) => version < 14));
  const time = (day: number | undefined): string | null =>
    day === undefined ? null : new Date(day * DAY_MS).toISOString();
  // What the exchange keeps stood in no table then.
  const kept: typeof EXAMPLES[number] = ["kept", {
    covered: [[60, 70], [90, 100]],
    first: 60,
  }, ["retention 0-60", "retention 70-90"]];
  const expected: string[] = [];
  const examples = [...EXAMPLES, kept].filter(([, { rowsFrom }]) => rowsFrom === undefined);
  for (const [index, [, different, spans]] of examples.entries()) {
    const known = { ...NOTHING, ...different };
    const symbol = `S${String(index).padStart(2, "0")}`;
    const covered = known.covered.map(([since, until]) => `[${time(since)},${time(until)})`);
    await sql`
      insert into checkpoints (exchange, symbol, timeframe, covered, first, first_confirmed, listed_from, reach_from)
      values ('a', ${symbol}, '1d', ${`{${covered.join(",")}}`}::text::tstzmultirange, ${
      time(known.first)
    },
              ${time(known.first)}, ${time(known.listedFrom)}, ${time(known.reachFrom)})`;
    for (const span of spans) {
      const [, state = "", since, until] = /^(\w+) (\d+)-(\d+)$/.exec(span)!;
      const missing = Number(until) - Number(since);
      expected.push(`${symbol} ${span} ${missing}`);
      // Such rows had no word then.
      if (state === "suspected") continue;
      await sql`
        insert into gaps (exchange, symbol, timeframe, since, until, state, missing, is_bound)
        values ('a', ${symbol}, '1d', ${time(Number(since))}, ${
        time(Number(until))
      }, ${state}, ${missing}, true)`;
    }
    await sql`
      insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
      values ('a', ${symbol}, '1d', ${time(96)}, ${time(98)}, 'no_trades', 2)`;
    expected.push(`${symbol} no_trades 96-98 2`);
  }
  await migrate(database, migrations);
  const gaps = await readGaps(database);
  assert.deepEqual(
    gaps.map(({ series, missing, ...gap }) => `${series.symbol} ${textOf(gap)} ${missing}`),
    expected,
  );
  const [row] = await sql<{ rows: number }[]>`select count(*)::int as rows from gaps`;
  assert.equal(row?.rows, examples.length, "what is worked out is not stored as well");
  await sql`truncate checkpoints, gaps`;
}

/** Weeks begin on Mondays, months are not of one length, and a range may begin or end anywhere. */
async function count({ sql }: Database): Promise<void> {
  const timeframes = ["1s", "1m", "15m", "4h", "1d", "3d", "1w", "1M", "3M"].map(parseTimeframe);
  const times = fc.tuple(fc.constantFrom(...timeframes), fc.nat(2e9), fc.nat(1e8), fc.boolean());
  const samples = fc.sample(times, { numRuns: 300, seed: 14 }).map(
    ([timeframe, second, length, isAligned]) => {
      const sinceMs = isAligned ? floorTime(timeframe, second * 1_000) : second * 1_000;
      return { timeframe: timeframe.text, sinceMs, untilMs: sinceMs + length * 1_000 };
    },
  );
  const rows = await sql.unsafe<{ candles: string }[]>(
    `select titan10_candles(timeframe, to_timestamp("sinceMs" / 1000.0), to_timestamp("untilMs" / 1000.0)) as candles
     from jsonb_to_recordset($1::text::jsonb) as row (timeframe text, "sinceMs" float8, "untilMs" float8)`,
    [JSON.stringify(samples)],
  );
  assert.deepEqual(
    rows.map(({ candles }) => Number(candles)),
    samples.map(({ timeframe, sinceMs, untilMs }) =>
      coverageCandles(parseTimeframe(timeframe), [{ sinceMs, untilMs }])
    ),
  );
}

/**
 * fast-check with the number of runs and the seed from the command line:
 * `deno test tests/unit/candle_property_test.ts -- --runs=100000 --seed=1`. A failure prints its seed, and the smallest
 * input that fails; kept as an example of its property, that is tried first in every run from then on.
 * @module
 */
import fc from "fast-check";
import { parseTimeframe, type Timeframe } from "../../lib/market/timeframe.ts";

/** Enough to meet the common kinds of input, few enough that all properties together take seconds. */
const RUNS = 200;

const seed = argument("seed");
fc.configureGlobal({
  numRuns: argument("runs") ?? RUNS,
  ...(seed === undefined ? {} : { seed }),
});

export { fc };

/** Any timeframe that can be written, the usual ones most often. */
export const timeframes: fc.Arbitrary<Timeframe> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("1m", "5m", "1h", "4h", "1d", "1w", "1M") },
  {
    weight: 1,
    // A thousand candles of more years would lie where no Date reaches.
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 24 }), fc.constantFrom(..."smhdwMy"))
      .map(([count, unit]) => `${count}${unit}`),
  },
).map(parseTimeframe);

/** Any millisecond of the years in which candles may open. */
export const times: fc.Arbitrary<number> = fc.integer({
  min: Date.UTC(1971, 0),
  max: Date.UTC(2200, 0),
});

/** A JSON number of any length, as an exchange may write it. */
export const decimals: fc.Arbitrary<string> = fc.tuple(
  fc.stringMatching(/^(?:0|[1-9]\d{0,24})$/),
  fc.option(fc.stringMatching(/^\d{1,24}$/), { nil: undefined }),
  fc.option(fc.stringMatching(/^[eE][+-]?\d{1,2}$/), { nil: undefined, freq: 3 }),
).map(([whole, fraction, exponent]) =>
  `${whole}${fraction === undefined ? "" : `.${fraction}`}${exponent ?? ""}`
);

/** A decimal text as a whole number of 10^-400: a second way to read one, for comparison. */
export function exactly(text: string): bigint {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const shift = DIGITS_MAX + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction) * 10n ** BigInt(shift);
  return sign === "-" ? -digits : digits;
}

/** More than the digits after the point of any of {@linkcode decimals}. */
const DIGITS_MAX = 400;

function argument(name: string): number | undefined {
  const given = Deno.args.find((text) => text.startsWith(`--${name}=`));
  return given === undefined ? undefined : Number(given.split("=")[1]);
}

/** The time axis in a time zone: its marks stand where days, months and years begin there. @module */
import { wallTime, zoneOf } from "./dates.js";

/**
 * @typedef {import("./dates.js").Writing} Writing
 * @typedef {{ -readonly [K in keyof import("lightweight-charts").TimeScalePoint]:
 *   import("lightweight-charts").TimeScalePoint[K] }} Point
 */

/** How much a mark weighs that is the first of its kind: of the library, which reads its labels from them. */
const YEAR = 70;
const MONTH = 60;
const DAY = 50;
const SECOND = 10;

/** The same for parts of a day, in seconds. */
const PARTS = /** @type {const} */ ([
  [43_200, 33],
  [21_600, 32],
  [10_800, 31],
  [3_600, 30],
  [1_800, 22],
  [300, 21],
  [60, 20],
]);

const MONTHS = Array.from(
  { length: 12 },
  (_, month) =>
    new Intl.DateTimeFormat("en", { month: "short", timeZone: "UTC" }).format(
      Date.UTC(2024, month),
    ),
);

/**
 * @param {typeof import("lightweight-charts").defaultHorzScaleBehavior} defaultHorzScaleBehavior
 * @param {Writing} writing
 */
export function zoneScale(defaultHorzScaleBehavior, writing) {
  const scale = new (defaultHorzScaleBehavior())();
  const zone = zoneOf(writing);
  const wallOf = (/** @type {Point | undefined} */ point) =>
    point === undefined ? NaN : wallTime(zone, Number(point.originalTime) * 1000);
  scale.fillWeightsForPoints = (points, from) => {
    let before = wallOf(points[from - 1]);
    for (const point of points.slice(from)) {
      const wallMs = wallOf(point);
      point.timeWeight = /** @type {Point["timeWeight"]} */ (weightOf(wallMs, before));
      before = wallMs;
    }
  };
  scale.formatTickmark = ({ weight, originalTime }) =>
    markText(new Date(wallTime(zone, Number(originalTime) * 1000)), weight, writing);
  return scale;
}

/** @param {number} wallMs @param {number} beforeMs of the candle before; NaN for the first @returns {number} */
function weightOf(wallMs, beforeMs) {
  if (Number.isNaN(beforeMs)) return SECOND;
  const [date, before] = [new Date(wallMs), new Date(beforeMs)];
  if (date.getUTCFullYear() !== before.getUTCFullYear()) return YEAR;
  if (date.getUTCMonth() !== before.getUTCMonth()) return MONTH;
  if (date.getUTCDate() !== before.getUTCDate()) return DAY;
  for (const [seconds, weight] of PARTS) {
    if (Math.floor(wallMs / 1000 / seconds) !== Math.floor(beforeMs / 1000 / seconds)) {
      return weight;
    }
  }
  return SECOND;
}

/** @param {Date} wall @param {number} weight @param {Writing} writing @returns {string} */
function markText(wall, weight, { timeframe }) {
  if (weight >= YEAR) return String(wall.getUTCFullYear());
  if (weight >= MONTH) return MONTHS[wall.getUTCMonth()] ?? "";
  if (weight >= DAY || /[dwMy]$/.test(timeframe)) return String(wall.getUTCDate());
  return wall.toISOString().slice(11, weight > SECOND ? 16 : timeframe.endsWith("s") ? 19 : 16);
}

/** How candles are drawn: stored ones full, provisional ones hollow, and the one that forms hollow and grey. @module */

/**
 * @typedef {import("lightweight-charts").UTCTimestamp} Seconds
 * @typedef {import("./chart_candles.js").ChartCandles} ChartCandles
 * @typedef {(name: string) => string} Colour
 */

/** @param {ChartCandles} loaded @param {number} ms @param {Colour} colour */
export function candleAt(loaded, ms, colour) {
  const time = /** @type {Seconds} */ (ms / 1000);
  const candle = loaded.at(ms);
  if (candle === undefined) return { time };
  const { open, high, low, close } = candle;
  const values = { open: Number(open), high: Number(high), low: Number(low), close: Number(close) };
  const kind = loaded.kindAt(ms);
  if (kind === "stored") return { time, ...values };
  if (kind === "provisional") return { time, ...values, color: "transparent" };
  const grey = colour("--text-quiet");
  return { time, ...values, color: "transparent", borderColor: grey, wickColor: grey };
}

/** @param {ChartCandles} loaded @param {number} ms @param {Colour} colour */
export function volumeAt(loaded, ms, colour) {
  const time = /** @type {Seconds} */ (ms / 1000);
  const candle = loaded.at(ms);
  if (candle === undefined || candle.volume === null) return { time };
  const value = Number(candle.volume);
  return loaded.kindAt(ms) === "forming"
    ? { time, value, color: colour("--line-strong") }
    : { time, value };
}

/** @param {ChartCandles} loaded @param {number} ms @param {number} [beforeMs] */
export function pointAt(loaded, ms, beforeMs = NaN) {
  const time = /** @type {Seconds} */ (ms / 1000);
  const candle = loaded.at(ms);
  if (candle === undefined) return { time };
  return { time, value: Number(candle.close), isJoined: loaded.at(beforeMs) !== undefined };
}

/** @param {Colour} colour */
export function candleColours(colour) {
  const [up, down] = [colour("--up"), colour("--down")];
  return {
    upColor: up,
    wickUpColor: up,
    borderUpColor: up,
    downColor: down,
    wickDownColor: down,
    borderDownColor: down,
  };
}

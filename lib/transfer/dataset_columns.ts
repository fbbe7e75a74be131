/** The columns of candles between the archive and a dataset's files. @module */
import type { CandleColumns } from "../store/dataset_candles.ts";
import { decimalBytes, type Numbers } from "./candle_parquet.ts";

/** Candles of one symbol, oldest first. */
export interface DatasetCandles {
  readonly rows: number;
  /** Milliseconds. */
  readonly times: BigInt64Array;
  /** By the order of a candle's values: doubles with NaN for what is absent, or the bytes of decimals. */
  readonly values: readonly (Float64Array | readonly (Uint8Array | null)[])[];
}

/** What candles are of, for messages. */
interface SeriesText {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
}

/** Reads what the archive has told. @throws Error when a decimal has no room in a file */
export function datasetCandles(
  { rows, time, values }: CandleColumns,
  { numbers, of }: { readonly numbers: Numbers; readonly of: SeriesText },
): DatasetCandles {
  const times = new BigInt64Array(swapped(time));
  if (times.length !== rows) {
    throw new Error(`Cannot read ${rows} candles: there are ${times.length}`);
  }
  const known = new Map<string, Uint8Array>();
  const bytesOf = (text: string, at: number): Uint8Array | null => {
    if (text === "") return null;
    const found = known.get(text) ?? decimalBytes(text, of, Number(times[at]));
    known.set(text, found);
    return found;
  };
  return {
    rows,
    times,
    values: values.map((text) =>
      numbers === "double" ? new Float64Array(swapped(text)) : text.split(",").map(bytesOf)
    ),
  };
}

/** The 64-bit values of a base64 text, from the order of the network to that of the machine. */
function swapped(base64: string): ArrayBuffer {
  const bytes = Uint8Array.fromBase64(base64);
  if (!IS_LITTLE) return bytes.buffer;
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 8) {
    const high = view.getUint32(at);
    view.setUint32(at, view.getUint32(at + 4), true);
    view.setUint32(at + 4, high, true);
  }
  return bytes.buffer;
}

const IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Folders of files of candles, as people keep them. @module */
import { candles, type FileCandle, MINUTE_MS } from "./file_candles.ts";

export const HEAD = "exchange,symbol,timeframe,time,open,high,low,close,volume";

/** Lines of a file of minutes of one symbol, as `titan10 export` names its columns. */
export function fileText(symbol: string, rows: readonly FileCandle[]): string {
  const lines = rows.map(({ t, o, h, l, c, v }) =>
    ["binance", symbol, "1m", new Date(t).toISOString(), o, h, l, c, v].join()
  );
  return [HEAD, ...lines, ""].join("\n");
}

/** Minutes of one hour, `hour` hours after the first. */
export function hourOf(hour: number, price = 400): readonly FileCandle[] {
  return candles(60, MINUTE_MS, price + hour).map((row) => ({
    ...row,
    t: row.t + hour * 60 * MINUTE_MS,
  }));
}

/** One hour of one symbol a file: `BTC-USDT/3.csv`. Returns how many there are. */
export async function writeFiles(
  folder: string,
  { symbols, hours }: { readonly symbols: readonly string[]; readonly hours: number },
): Promise<number> {
  for (const symbol of symbols) {
    const inner = `${folder}/${symbol.replace("/", "-")}`;
    await Deno.mkdir(inner, { recursive: true });
    for (let hour = 0; hour < hours; hour++) {
      await Deno.writeTextFile(`${inner}/${hour}.csv`, fileText(symbol, hourOf(hour)));
    }
  }
  return symbols.length * hours;
}

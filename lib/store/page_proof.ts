/** Whether a page is there that the embedded server had stored before it was started again. @module */
import type { Series } from "../market/series.ts";
import { seriesName } from "../market/series.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import type { AskText } from "./connection/restart_proof.ts";

/** A page of candles that the server has answered for as stored. */
interface StoredPage {
  readonly series: Series;
  /** Its number among all pages. */
  readonly number: string;
}

/** Call it when the database has answered that a page with candles is stored. */
export function rememberPage({ proof }: Database, page: StoredPage): void {
  proof?.expect((ask) => findPage(page, ask));
}

/**
 * Finds the row that the page's own transaction wrote. While that was the newest to write the row of the series, its
 * candles must be there, too: whatever takes candles away later writes that row.
 *
 * @throws Error when one is not there.
 */
async function findPage({ series, number }: StoredPage, ask: AskText): Promise<void> {
  const { exchange, symbol, timeframe } = series;
  const { rows } = await ask(`
    select page.xmin <> known.xmin or exists (
      select from ${candleTable(timeframe)} as candle
      where candle.exchange = page.exchange and candle.symbol = page.symbol
        and candle.time between page.first_time and page.last_time)
    from recent_pages as page join checkpoints as known using (exchange, symbol, timeframe)
    where page.exchange = ${literal(exchange)} and page.symbol = ${literal(symbol)}
      and page.timeframe = ${literal(timeframe.text)} and page.number = ${BigInt(number)}`);
  if (rows[0]?.[0] === "t") return;
  throw new Error(`page ${number} of ${seriesName(series)} was stored, and is not there any more`);
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

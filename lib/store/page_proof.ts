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
 * Finds the row that the page's own transaction wrote, and reads its candles. How many are left does not matter: a later
 * answer may have taken them back, and `forget` or RETENTION may have dropped them.
 *
 * @throws Error when the row is not there, or the candles cannot be read.
 */
async function findPage({ series, number }: StoredPage, ask: AskText): Promise<void> {
  const { exchange, symbol, timeframe } = series;
  const { rows } = await ask(`
    select page.number, sum(candle.close) from recent_pages as page
    left join ${candleTable(timeframe)} as candle
      on candle.exchange = page.exchange and candle.symbol = page.symbol
     and candle.time between page.first_time and page.last_time
    where page.exchange = ${literal(exchange)} and page.symbol = ${literal(symbol)}
      and page.timeframe = ${literal(timeframe.text)} and page.number = ${BigInt(number)}
    group by page.number`);
  if (rows.length === 1) return;
  throw new Error(`page ${number} of ${seriesName(series)} was stored, and is not there any more`);
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

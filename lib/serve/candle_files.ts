/** Answers `/candles.csv` and `/candles.parquet`: candles of one series as a file, as `titan10 export` writes them. @module */
import type { Series } from "../market/series.ts";
import { readChartTimeframes } from "../store/chart.ts";
import type { Database } from "../store/connection/database.ts";
import { type CandleWriter, csvWriter } from "../transfer/candle_csv.ts";
import { type ExportPage, exportPages, NothingToExportError } from "../transfer/candle_export.ts";
import type { Output } from "../transfer/output.ts";
import { BadQueryError, Query, timeframeOf } from "./chart_answer.ts";
import type { DatabaseAnswers } from "./database_answers.ts";
import { type Answer, type Asked, refusal } from "./http_answer.ts";

/** The candles that a visitor has asked for. */
export interface CandleFile {
  readonly series: Series;
  /** Whether provisional candles are among them, and marked. */
  readonly isMarked: boolean;
  readonly pages: AsyncGenerator<ExportPage, void>;
}

interface FileRoute {
  readonly path: string;
  readonly answer: (asked: Asked) => Promise<Answer>;
}

/** At once, of all visitors. Each has a part of its file in memory: of Parquet up to 20 MB. */
const FILES_MAX = 4;

type Format = "csv" | "parquet";

const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  csv: "text/csv; charset=utf-8",
  parquet: "application/vnd.apache.parquet",
};

/** What is asked for. Nothing of it is read yet. @throws BadQueryError, StoreError */
export async function readCandleFile(
  database: Database,
  query: URLSearchParams,
): Promise<CandleFile> {
  const asked = new Query(query, [
    ...["exchange", "symbol", "timeframe", "since", "until", "provisional"],
  ]);
  const series = asked.series();
  const isMarked = asked.optional("provisional", isYesOrNo, "true or false") === "true";
  const [sinceMs, untilMs] = [asked.time("since") ?? null, asked.time("until") ?? null];
  await timeframeOf(database, series, await readChartTimeframes(database, series));
  const pages = exportPages(database, {
    exchanges: [series.exchange],
    symbols: [series.symbol],
    timeframes: [series.timeframe.text],
    ...{ sinceMs, untilMs, isMarked },
    merge: null,
    isFinalOnly: false,
  });
  return { series, isMarked, pages };
}

function isYesOrNo(text: string): text is "true" | "false" {
  return text === "true" || text === "false";
}

/** The files of candles. Each page is read when the visitor is ready for it, and only then. */
export function fileRoutes(
  open: (query: URLSearchParams, signal: AbortSignal) => Promise<CandleFile>,
  database: DatabaseAnswers,
): readonly FileRoute[] {
  let files = 0;
  const answer = async (asked: Asked, format: Format): Promise<Answer> => {
    if (files >= FILES_MAX) {
      return refusal(503, "Too many files are being read already", { "retry-after": "10" });
    }
    files++;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) files--;
      isHeld = false;
    };
    try {
      const query = new URLSearchParams(asked.query);
      const file = await database.readFor(asked, () => open(query, asked.signal));
      const next: NextPage = () => database.readFor(asked, () => file.pages.next());
      const made = await fileAnswer(file, { format, next, release });
      // Nobody would read the stream, nor end it.
      if (asked.signal.aborted) await file.pages.return();
      asked.signal.throwIfAborted();
      return made;
    } catch (error) {
      release();
      throw error instanceof NothingToExportError ? new BadQueryError(404, error.message) : error;
    }
  };
  return (["csv", "parquet"] as const).map((format) => ({
    path: `/candles.${format}`,
    answer: (asked) => answer(asked, format),
  }));
}

type NextPage = () => Promise<IteratorResult<ExportPage, void>>;

/** The file as a stream. Its first page is read before, so that what cannot be read is told of by the status. */
async function fileAnswer(
  { series, isMarked, pages }: CandleFile,
  { format, next, release }: {
    readonly format: Format;
    readonly next: NextPage;
    readonly release: () => void;
  },
): Promise<Answer> {
  const ready: Uint8Array[] = [];
  const writer = await writerOf(format, { isMarked, ready });
  let coming: IteratorResult<ExportPage, void> | undefined = await next();
  const end = async (): Promise<void> => {
    release();
    await pages.return();
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      try {
        while (ready.length === 0) {
          const { value, done } = coming ?? await next();
          coming = undefined;
          if (done === true) {
            await writer.finish();
            for (const bytes of ready) controller.enqueue(bytes);
            controller.close();
            return release();
          }
          await writer.write(value);
        }
        controller.enqueue(ready.shift()!);
      } catch (error) {
        await end();
        throw error;
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
  const { exchange, symbol, timeframe } = series;
  const name = `${exchange}-${symbol}-${timeframe.text}`.replaceAll(/[^\w.-]/g, "_");
  return {
    status: 200,
    headers: {
      "content-type": CONTENT_TYPES[format],
      "content-disposition": `attachment; filename="${name}.${format}"`,
      "transfer-encoding": "chunked",
    },
    body,
  };
}

/** Writes to `ready`. What Parquet needs is loaded when somebody asks for it: a daemon without visitors does without. */
async function writerOf(
  format: Format,
  { isMarked, ready }: { readonly isMarked: boolean; readonly ready: Uint8Array[] },
): Promise<CandleWriter> {
  const nothing = (): Promise<void> => Promise.resolve();
  const output: Output = {
    write: (bytes) => {
      if (bytes.length > 0) ready.push(bytes);
      return Promise.resolve();
    },
    finish: nothing,
    close: nothing,
  };
  const choice = { isMerged: false, isMarked };
  if (format === "csv") return csvWriter(output, choice);
  const { parquetWriter } = await import("../transfer/candle_parquet.ts");
  return parquetWriter(output, { ...choice, numbers: "double" });
}

/** A dialect that answers as data.binance.vision does: the candles of the local exchange in files of months and days. @module */
import { createHash } from "node:crypto";
import { page } from "../../../lib/local_exchange/history.ts";
import { binance as api } from "../../../lib/local_exchange/local_binance.ts";
import type { LocalCandle } from "../../../lib/local_exchange/price_walk.ts";
import type { Window } from "../../../lib/market/window.ts";
import { zipOf } from "../zip_file.ts";
import type { Ask, Dialect, DialectRequest } from "./dialect.ts";

/** A row of a file: twelve texts or numbers. */
export type ArchivedRow = readonly unknown[];

/** What is wrong with a file. */
export interface FileTrouble {
  /** No such file, or not before this time. Milliseconds. */
  readonly missingUntilMs?: number;
  /** Bytes in its middle are others; its checksum is of these bytes. */
  readonly isBroken?: boolean;
  readonly hasWrongChecksum?: boolean;
  /** HTTP status in place of the file. */
  readonly status?: number;
  /** What it says. @default one word */
  readonly refusal?: string;
  readonly rows?: (rows: readonly ArchivedRow[]) => readonly ArchivedRow[];
  /** @default spot's from 2025 on, as Binance has it */
  readonly isMicros?: boolean;
  /** @default that of contracts from 2022 on */
  readonly hasHead?: boolean;
  /** The text of the file as a whole. */
  readonly text?: (text: string) => string;
}

interface FilePath {
  readonly kind: string;
  readonly method: string;
  readonly id: string;
  readonly interval: string;
  readonly window: Window;
  readonly member: string;
  readonly name: string;
}

/** The endpoint's name in the log, and in rules of faults. */
export const FILES_ENDPOINT = "files";

const PATH =
  /^\/data\/(spot|futures\/um|futures\/cm)\/(monthly|daily)\/(\w+)\/(\w+)\/(\w+)\/((\w+)-(\w+)-(\d{4})-(\d\d)(?:-(\d\d))?\.zip)(\.CHECKSUM)?$/;

const APIS: Readonly<Record<string, string>> = {
  "spot": "/api/v3/",
  "futures/um": "/fapi/v1/",
  "futures/cm": "/dapi/v1/",
};

const HEAD = "open_time,open,high,low,close,volume,close_time,quote_volume,count," +
  "taker_buy_volume,taker_buy_quote_volume,ignore";

/** Files whose candles are kept. */
const CANDLES_MAX = 8;

/** When a file is there, after the end of its time. */
const PUBLISHED_MS = 3_600_000;

/** Answers for files; `trouble` says what is wrong with one, by its name. */
export function binanceFiles(
  trouble: (name: string) => FileTrouble | undefined = () => undefined,
): Dialect {
  // Files are asked for twice, their checksums first, and candles take long to make.
  const candles = new Map<string, readonly LocalCandle[]>();
  let last: { readonly text: string; readonly bytes: Uint8Array } | undefined;
  const answer = (status: number, body: unknown): Ask => ({
    about: "other",
    endpoint: FILES_ENDPOINT,
    answer: { status, body },
  });
  return {
    exchange: "binance",
    silence: "omitted",
    refusal: () => "<Error><Code>AccessDenied</Code></Error>",
    read: (request): Ask | undefined => {
      if (!request.path.startsWith("/data/")) return undefined;
      const path = readPath(request.path);
      if (path === undefined) return answer(404, encoded("<Error><Code>NoSuchKey</Code></Error>"));
      const wrong = trouble(path.name) ?? {};
      const key = `${path.kind} ${path.method} ${path.name}`;
      if (candles.size > CANDLES_MAX) candles.clear();
      if (wrong.status !== undefined) {
        return answer(wrong.status, encoded(wrong.refusal ?? "refused"));
      }
      const fromMs = Math.max(
        path.window.untilMs + PUBLISHED_MS,
        wrong.missingUntilMs ?? -Infinity,
      );
      const text = request.nowMs < fromMs ? undefined : fileText(
        {
          ...request,
          known: candles.get(key),
          onRows: (rows) => void candles.set(key, rows),
        },
        path,
        wrong,
      );
      if (text === undefined) return answer(404, encoded("<Error><Code>NoSuchKey</Code></Error>"));
      // Asked for twice in a row: its checksum, then the file.
      if (last?.text !== text) last = { text, bytes: zipOf(path.member, text) };
      const bytes = wrong.isBroken === true ? brokenBytes(last.bytes) : last.bytes;
      if (!request.path.endsWith(".CHECKSUM")) return answer(200, bytes);
      const hash = createHash("sha256").update(bytes).digest("hex");
      const told = wrong.hasWrongChecksum === true ? hash.replaceAll(/[0-7]/g, "8") : hash;
      return answer(200, encoded(`${told}  ${path.name}\n`));
    },
  };
}

function readPath(text: string): FilePath | undefined {
  const [
    ,
    kind = "",
    period,
    method = "",
    folder,
    interval = "",
    name = "",
    id = "",
    of,
    year,
    month,
    day,
  ] = PATH.exec(text) ?? [];
  if (folder === undefined || folder !== id || of !== interval) return undefined;
  if ((period === "daily") !== (day !== undefined)) return undefined;
  const [y, m, d] = [Number(year), Number(month) - 1, Number(day ?? 1)];
  const window = {
    sinceMs: Date.UTC(y, m, d),
    untilMs: day === undefined ? Date.UTC(y, m + 1, 1) : Date.UTC(y, m, d + 1),
  };
  return { kind, method, id, interval, window, name, member: name.replace(/zip$/, "csv") };
}

/** Undefined when the exchange has no candles of that time. `known` are those of the last time. */
function fileText(
  { known, onRows, ...request }: DialectRequest & {
    readonly known: readonly LocalCandle[] | undefined;
    readonly onRows: (rows: readonly LocalCandle[]) => void;
  },
  { kind, method, id, interval, window }: FilePath,
  { rows: change = (rows) => rows, isMicros, hasHead, text: changeText = (text) => text }:
    FileTrouble,
): string | undefined {
  const name = method === "indexPriceKlines" ? "pair" : "symbol";
  const ask = api.read({
    ...request,
    path: `${APIS[kind]}${method}`,
    query: new URLSearchParams({ [name]: id, interval }),
  });
  if (ask?.about !== "candles") return undefined;
  const { symbol, timeframe } = ask;
  const all = known ?? page({ symbol, timeframe, silence: api.silence, nowMs: request.nowMs }, {
    ...window,
    rowsMax: Infinity,
    keep: "oldest",
    order: "ascending",
  });
  onRows(all);
  const rows = change(ask.render(all) as readonly ArchivedRow[]);
  if (rows.length === 0) return undefined;
  const { sinceMs } = window;
  const micros = isMicros ?? (kind === "spot" && sinceMs >= Date.UTC(2025, 0));
  const head = hasHead ?? (kind !== "spot" && sinceMs >= Date.UTC(2022, 0));
  const lines = rows.map((row) =>
    row.map((value, at) =>
      micros && at === 0 ? `${value}000` : micros && at === 6 ? `${value}999` : value
    ).join(",")
  );
  return changeText(`${[...(head ? [HEAD] : []), ...lines].join("\n")}\n`);
}

function brokenBytes(bytes: Uint8Array): Uint8Array {
  const middle = bytes.length >> 1;
  return bytes.map((byte, at) => Math.abs(at - middle) < 20 ? byte ^ 0x5a : byte);
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

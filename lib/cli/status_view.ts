/** The status document as text: exchanges and their sums, series, jobs, problems. @module */
import { printable } from "../text/printable.ts";
import type { ExchangeStatus, SeriesStatus, Status } from "../serve/status.ts";
import { fundingTable } from "./funding_table.ts";
import { nodeTable, nodeTroubles } from "./node_table.ts";
import { type Paint, painter } from "./terminal.ts";
import { count, cut, duration, minute, moment, table, wrap } from "./text.ts";

interface StatusViewOptions {
  readonly nowMs: number;
  /** The width that no line exceeds. @default 80 */
  readonly columns?: number;
  /** The most lines. If they are too few, series are left out, those without problems first. @default no limit */
  readonly rows?: number | undefined;
  /** @default without colours */
  readonly paint?: Paint;
}

/** The most messages of series that are listed. When an exchange is unavailable, all of its series have one. */
const MESSAGES_MAX = 10;

/** Messages are cut here, because one may hold a page of HTML. `--json` shows all of it. */
const MESSAGE_COLUMNS_MAX = 300;

/** The document as text. Each line is at most `columns` wide. */
export function renderStatus(document: Status, options: StatusViewOptions): string {
  const { columns = 80, paint = painter(false) } = options;
  const { exchanges } = document;
  const blocks = [
    [headOf(document, options), ...firingOf(document, { ...options, columns, paint })],
    exchangeTable(document, { ...options, columns, paint }),
    fundingTable(document.funding, columns),
    // One node alone does everything.
    document.nodes.length > 1 ? nodeTable(document, { ...options, columns, paint }) : [],
    jobTable(document, paint),
    troubleOf(document, { ...options, columns, paint }),
  ].filter((block) => block.length > 0);
  const lines = blocks.flatMap((block) => ["", ...block]).slice(1);
  const roomForSeries = options.rows === undefined ? Infinity : options.rows - lines.length - 3;
  const rows = seriesTable(document, { ...options, columns, roomMax: Math.max(0, roomForSeries) });
  // The series come between the sums and the jobs. Problems come last, because a terminal shows the end of the output.
  const first = 1 + blocks[0]!.length + (exchanges.length > 0 ? blocks[1]!.length : 0);
  const all = [...lines.slice(0, first), "", ...rows, ...lines.slice(first)];
  return all.map((line) => cut(line, columns)).slice(0, options.rows ?? Infinity).join("\n");
}

function headOf({ version, database, startedAt }: Status, { nowMs }: StatusViewOptions): string {
  const extension = database.timescaledb === null
    ? "plain PostgreSQL"
    : `TimescaleDB ${database.timescaledb}`;
  const up = startedAt === null
    ? ""
    : `, daemon up for ${duration(Math.max(0, nowMs - Date.parse(startedAt)) / 1000)}`;
  return `titan10 ${version}, ${database.kind} database, ${extension}${up}`;
}

/** The alerts that fire, before all else. */
function firingOf(
  { alerts, alertsFiring }: Status,
  { columns, paint }: Drawn,
): readonly string[] {
  if (alerts.length === 0) return [];
  const texts = alerts.slice(0, MESSAGES_MAX).map(({ summary, since, remedy }) =>
    `${summary}, since ${minute(since)}. ${remedy}`
  );
  const more = alertsFiring - texts.length;
  const all = more <= 0 ? texts : [...texts, `and ${count(more)} more alerts`];
  const lines = listed("ALERTS", all, columns);
  return ["", ...lines.map((line, index) => index === 0 ? paint("red", line) : line)];
}

interface Drawn extends StatusViewOptions {
  readonly columns: number;
  readonly paint: Paint;
}

/** One line per exchange, and a total if there are several. */
function exchangeTable({ exchanges, series }: Status, drawn: Drawn): readonly string[] {
  if (exchanges.length === 0) return [];
  const { columns, paint } = drawn;
  const sums = Map.groupBy(series, ({ exchange }) => exchange);
  const known = new Map(exchanges.map((row) => [row.exchange, row]));
  const names = [...new Set([...known.keys(), ...sums.keys()])];
  const rows = names.map((name) => [
    printable(name),
    ...sumsOf(sums.get(name) ?? []),
    stateOf(known.get(name), drawn),
  ]);
  if (names.length > 1) rows.push(["total", ...sumsOf(series), ""]);
  const head = ["EXCHANGE", "SERIES", "CANDLES", "OWED", "MISSING", "EXPLAINED", "STATE"];
  const lines = table(head, rows, { numeric: [1, 2, 3, 4, 5], columns }).split("\n");
  return lines.map((line, index) => {
    const row = known.get(names[index - 1] ?? "");
    if (row === undefined) return index > names.length ? paint("bold", line) : line;
    return row.bannedUntil !== null || row.breaker !== "closed" ? paint("red", line) : line;
  });
}

function sumsOf(series: readonly SeriesStatus[]): readonly string[] {
  const sum = (of: (row: SeriesStatus) => number): string =>
    count(series.reduce((total, row) => total + of(row), 0));
  return [
    count(series.length),
    sum((row) => row.candles),
    sum((row) => row.owed),
    sum((row) => row.missing),
    sum((row) => row.explained),
  ];
}

function stateOf(row: ExchangeStatus | undefined, { nowMs }: StatusViewOptions): string {
  if (row === undefined) return "not asked";
  if (row.bannedUntil !== null) return `banned to ${moment(row.bannedUntil, nowMs)}`;
  if (row.breaker !== "closed") return `breaker ${row.breaker.replace("_", " ")}`;
  return row.stream === null || row.stream.state === "off"
    ? "ok"
    : `ok, stream ${row.stream.state}`;
}

/** Whether ages are of use: without streams they follow from the polls. */
function isStreaming({ exchanges, series }: Status): boolean {
  return exchanges.some(({ stream }) => (stream?.state ?? "off") !== "off") ||
    series.some(({ lastSource }) => lastSource === "stream");
}

/** Behind the age of a candle that only a stream has told of. */
const PROVISIONAL = "*";

const PROVISIONAL_NOTE =
  `${PROVISIONAL} came over a stream; no answer of the exchange has confirmed it yet`;

/** How old the newest candle is, in one unit: names need the room. */
function ageOf({ lastClosedAt, lastSource }: SeriesStatus, nowMs: number): string {
  if (lastClosedAt === null) return "–";
  const age = duration(Math.max(0, nowMs - Date.parse(lastClosedAt)) / 1000);
  const [value, unit] = age.split(" ");
  return `${value} ${unit}${lastSource === "stream" ? PROVISIONAL : ""}`;
}

function seriesTable(
  document: Status,
  { nowMs, columns, roomMax }: StatusViewOptions & {
    readonly columns: number;
    readonly roomMax: number;
  },
): readonly string[] {
  const { series: all } = document;
  if (all.length === 0) return ["no series yet: run titan10 backfill or titan10 run"];
  const notes = all.some(({ lastSource }) => lastSource === "stream") ? [PROVISIONAL_NOTE] : [];
  const fit = all.length + notes.length <= roomMax;
  // One line is needed for the number of the others.
  const shown = fit ? all : leastSound(all).slice(0, Math.max(0, roomMax - notes.length - 1));
  const withAge = isStreaming(document);
  const rows = shown.map((row) => [
    printable(`${row.exchange} ${row.symbol} ${row.timeframe}`),
    count(row.candles),
    row.first?.slice(0, 10) ?? "–",
    row.last === null ? "–" : moment(row.last, nowMs),
    count(row.owed),
    count(row.missing),
    ...withAge ? [ageOf(row, nowMs)] : [],
  ]);
  const age = withAge ? ["AGE"] : [];
  const head = ["SERIES", "CANDLES", "FIRST", "LAST", "OWED", "MISSING", ...age];
  const lines = table(head, rows, { numeric: [1, 4, 5], columns }).split("\n");
  return [
    ...lines,
    ...fit ? [] : [`and ${count(all.length - shown.length)} more series`],
    ...notes,
  ];
}

/** Sorts the series with the most problems first. Equal ones keep their order. */
function leastSound(series: readonly SeriesStatus[]): readonly SeriesStatus[] {
  const lacking = ({ missing, owed, lastError }: SeriesStatus): number =>
    (lastError === null ? 0 : 1e15) + missing * 1e6 + owed;
  return [...series].sort((one, other) => lacking(other) - lacking(one));
}

function jobTable({ jobs }: Status, paint: Paint): readonly string[] {
  if (jobs.length === 0) return [];
  const lines = table(
    ["JOB", "LAST START", "LAST SUCCESS", "OUTCOME"],
    jobs.map(({ job, lastStart, lastSuccess, lastOutcome }) => [
      job,
      minute(lastStart),
      minute(lastSuccess),
      lastOutcome ?? "–",
    ]),
  ).split("\n");
  return lines.map((line, index) =>
    jobs[index - 1]?.lastOutcome === "failure" ? paint("red", line) : line
  );
}

/** Which series owe what other settings than these wanted. */
function foreignOf(series: readonly SeriesStatus[]): readonly string[] {
  const foreign = series.filter(({ wantedBy }) => wantedBy === "archive");
  const [first] = foreign;
  if (first === undefined) return [];
  const name = printable(`${first.exchange} ${first.symbol} ${first.timeframe}`);
  return [
    foreign.length === 1
      ? `${name} is not in these settings: what it owes is what the archive's last run wanted`
      : `${count(foreign.length)} series, ${name} first, are not in these settings: ` +
        "what they owe is what the archive's last run wanted",
  ];
}

/** The kinds of markets that something is about, if not about all. */
function marketsText(word: "of" | "from", kinds: readonly string[]): string {
  return kinds.length === 0 ? "" : ` ${word} its ${kinds.join(" and ")} markets`;
}

/** Ended markets, last errors, bans and breakers, one sentence each. The most important ones come last. */
function troubleOf(status: Status, { nowMs, columns, paint }: Drawn): readonly string[] {
  const { exchanges, series, funding, lastReload } = status;
  const ofExchanges = exchanges.flatMap((row) => {
    const { exchange, breaker, breakerOf, bannedUntil, bannedOf, stream } = row;
    const texts: string[] = [];
    if (bannedUntil !== null) {
      const left = duration(Math.max(0, Date.parse(bannedUntil) - nowMs) / 1000);
      const from = marketsText("from", bannedOf);
      texts.push(
        `${exchange} is banned${from} until ${minute(bannedUntil)} UTC, for another ${left}`,
      );
    }
    const of = marketsText("of", breakerOf);
    if (breaker === "open") {
      texts.push(
        `${exchange}: too many requests failed: the breaker${of} is open, requests are paused`,
      );
    }
    if (stream?.state === "down" && stream.since !== null) {
      const why = stream.lastEnd === null
        ? ""
        : ` (${stream.lastEnd.reason}: ${stream.lastEnd.why})`;
      const since = minute(stream.since);
      texts.push(`${exchange}: its stream is down since ${since}${why}: candles come by polls`);
    }
    if (breaker === "half_open") {
      texts.push(
        `${exchange}: the breaker${of} is half open: one trial request tests whether it answers`,
      );
    }
    return texts;
  });
  const nameOf = (row: SeriesStatus): string => `${row.exchange} ${row.symbol} ${row.timeframe}`;
  const ofSeries = series.flatMap((row) =>
    row.lastError === null ? [] : [`${nameOf(row)}: ${row.lastError}`]
  );
  const ended = series.flatMap((row) =>
    row.endedWhy === null ? [] : [`${nameOf(row)}: ${row.endedWhy} since ${minute(row.endedAt)}`]
  );
  const errors = exchanges.flatMap(({ exchange, lastError, lastErrorAt }) =>
    lastError === null ? [] : [`${exchange}, ${minute(lastErrorAt)}: ${lastError}`]
  );
  const ofSettings = lastReload?.ok === false
    ? [`the settings of ${minute(lastReload.at)} are not in force. ${lastReload.error}`]
    : [];
  const ofFunding = funding.flatMap((row) =>
    row.lastError === null ? [] : [`${row.exchange} ${row.symbol} funding rates: ${row.lastError}`]
  );
  const ofNodes = nodeTroubles(status);
  const all = [
    ...[...bounded(ofSeries), ...bounded(ofFunding), ...ofExchanges],
    ...[...ofNodes, ...ofSettings],
  ];
  const trouble = listed("TROUBLE", all, columns);
  return [
    listed("OWED BY OTHER SETTINGS", foreignOf(series), columns),
    listed("ENDED", bounded(ended), columns),
    listed("LAST ERRORS OF EXCHANGES", errors, columns),
    trouble.map((line, index) => index === 0 ? paint("red", line) : line),
  ].filter((block) => block.length > 0).flatMap((block) => ["", ...block]).slice(1);
}

function bounded(texts: readonly string[]): readonly string[] {
  const more = texts.length - MESSAGES_MAX;
  return more <= 0 ? texts : [...texts.slice(0, MESSAGES_MAX), `and ${count(more)} more series`];
}

function listed(title: string, texts: readonly string[], columns: number): readonly string[] {
  if (texts.length === 0) return [];
  return [
    title,
    ...texts.flatMap((text) =>
      wrap(cut(printable(text), MESSAGE_COLUMNS_MAX), columns - 4).map((line, index) =>
        (index === 0 ? "  " : "    ") + line
      )
    ),
  ];
}

/** The report as one HTML file that needs nothing else: no script, no network. @module */
import type { Completeness } from "../report/completeness.ts";
import type { NamedSeries, Report } from "../report/document.ts";
import { type Markup, markup } from "../text/markup.ts";
import { bar, LEGEND, paragraphs, section, table } from "./report_parts.ts";
import { REPORT_STYLE } from "./report_style.ts";
import {
  archiveWords,
  comparisonWords,
  moreWords,
  outlierRate,
  percent,
  priceChange,
  reasonWords,
  revisionWords,
  spanWords,
  stateWords,
  verdictOf,
} from "./report_words.ts";
import { count, minute } from "./text.ts";

/** A page of more series is not read. */
const SERIES_MAX = 60;

/** The report as a page. Everything in it is escaped; its policy forbids scripts and requests all the same. */
export function renderReportPage(report: Report): string {
  const { total, at } = report;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Archive of candles, ${minute(at)} UTC</title>
<style>`.html + REPORT_STYLE + markup`</style>
</head>
<body>
<main>
<h1>Report on an archive of candles</h1>
${archiveWords(report).map((line) => markup`<p class="quiet">${line}</p>`)}
<section>
<p class="share">${percent(total.there, total.wanted)}</p>
<p class="verdict">${verdictOf(report).join(" ")}</p>
${bar(total, "bar whole")}
${LEGEND}
</section>
${
    section("Exchanges, worst first", [
      completenessTable("Exchange", report.exchanges, ({ exchange, series }) =>
        `${exchange}, ${count(series)} series`),
    ])
  }
${seriesSection(report)}
${gapSection(report)}
${daySection(report)}
${revisionSection(report)}
${rejectedSection(report)}
${comparisonSection(report)}
</main>
</body>
</html>
`.html;
  return page;
}

function completenessTable<
  Row extends Completeness & { readonly first: string | null; readonly last: string | null },
>(what: string, all: readonly Row[], name: (row: Row) => string): Markup {
  return table(
    [
      [what, "name"],
      ["", "drawn"],
      ["Share", "number"],
      ["There", "number"],
      ["Explained", "number"],
      ["Owed", "number"],
      ["Open", "number"],
      ["First", ""],
      ["Newest", ""],
    ],
    all.map((row) => [
      name(row),
      bar(row),
      percent(row.there, row.wanted),
      count(row.there),
      count(row.explained),
      count(row.owed),
      count(row.missing),
      row.first?.slice(0, 10) ?? "–",
      minute(row.last),
    ]),
  );
}

function nameOf({ exchange, symbol, timeframe }: NamedSeries): string {
  return `${exchange} ${symbol} ${timeframe}`;
}

function seriesSection({ series }: Report): Markup {
  const shown = series.slice(0, SERIES_MAX);
  const more = series.length - shown.length;
  return section("Series, worst first", [
    completenessTable("Series", shown, nameOf),
    ...more > 0 ? paragraphs([moreWords(more, "series")]) : [],
  ]);
}

function gapSection({ gaps: { states, longest } }: Report): Markup {
  if (states.length === 0) return section("Gaps", paragraphs(["There are none."]));
  return section("Gaps", [
    table(
      [["Why", "words"], ["Gaps", "number"], ["Candles", "number"], ["Total time", "number"]],
      states.map(({ state, gaps, candles, seconds }) => [
        stateWords(state),
        count(gaps),
        count(candles),
        spanWords(seconds),
      ]),
    ),
    ...longest.length === 0 ? [] : [
      markup`<p>The longest inside series:</p>`,
      table(
        [
          ["Series", "name"],
          ["Since", ""],
          ["To before", ""],
          ["Time", "number"],
          ["Candles", "number"],
          ["Why", "words"],
        ],
        longest.map((gap) => [
          nameOf(gap),
          minute(gap.since),
          minute(gap.until),
          spanWords((Date.parse(gap.until) - Date.parse(gap.since)) / 1000),
          count(gap.missing),
          stateWords(gap.state),
        ]),
      ),
    ],
  ]);
}

function daySection({ days }: Report): Markup {
  if (days.length === 0) return markup``;
  return section("Days of which most is missing", [
    ...paragraphs(["Of the candles that the exchanges have answered for, of all series together."]),
    table(
      [["Day", ""], ["Share", "number"], ["There", "number"], ["Wanted", "number"], [
        "Why",
        "words",
      ]],
      days.map(({ day, there, wanted, missing, reasons }) => [
        day,
        percent(there, wanted),
        count(there),
        count(wanted),
        [missing > 0 ? `${count(missing)} open` : "", reasonWords(reasons)]
          .filter((text) => text !== "").join(", "),
      ]),
    ),
  ]);
}

function revisionSection(report: Report): Markup {
  const { series, largest } = report.revisions;
  return section("Revisions", [
    ...paragraphs([revisionWords(report)]),
    ...series.length === 0 ? [] : [table(
      [["Series", "name"], ["Revisions", "number"], ["Largest change of a price", "number"]],
      series.slice(0, LIST_MAX).map((one) => [
        nameOf(one),
        count(one.revisions),
        one.largestPercent === null ? "–" : priceChange(one.largestPercent),
      ]),
    )],
    ...series.length > LIST_MAX ? paragraphs([moreWords(series.length - LIST_MAX, "series")]) : [],
    ...largest.length === 0 ? [] : [
      markup`<p>The largest:</p>`,
      table(
        [
          ["Series", "name"],
          ["Candle", ""],
          ["Revised", ""],
          ["Price", ""],
          ["Was", "number"],
          ["Is", "number"],
          ["Change", "number"],
        ],
        largest.map((one) => [
          nameOf(one),
          minute(one.time),
          minute(one.revisedAt),
          one.field,
          one.older,
          one.newer,
          priceChange(one.percent),
        ]),
      ),
    ],
  ]);
}

const LIST_MAX = 10;

function rejectedSection({ rejected }: Report): Markup {
  if (rejected.length === 0) return section("Rejected rows", paragraphs(["There are none."]));
  return section("Rejected rows", [table(
    [
      ["Reason", ""],
      ["Rows", "number"],
      ["Received", "number"],
      ["Of", "name"],
      ["Such as", "code"],
    ],
    rejected.flatMap(({ reason, rows, times, samples }) =>
      samples.map((sample, at) => [
        at === 0 ? reason : "",
        at === 0 ? count(rows) : "",
        at === 0 ? count(times) : "",
        nameOf(sample),
        sample.answered,
      ])
    ),
  )]);
}

function comparisonSection(report: Report): Markup {
  const { exchanges, worst } = report.comparison;
  return section("Prices against the other exchanges", [
    ...paragraphs(comparisonWords(report)),
    ...exchanges.length === 0 ? [] : [table(
      [
        ["Exchange", "name"],
        ["Compared", "number"],
        ["Outliers", "number"],
        ["Share", "number"],
        ["Closes", "number"],
        ["Highs", "number"],
        ["Lows", "number"],
      ],
      exchanges.map((one) => [
        one.exchange,
        count(one.compared),
        count(one.outliers),
        outlierRate(one),
        count(one.closes),
        count(one.highs),
        count(one.lows),
      ]),
    )],
    ...worst.length === 0 ? [] : [
      markup`<p>The furthest away, at most three of a series:</p>`,
      table(
        [
          ["Series", "name"],
          ["Candle", ""],
          ["Price", ""],
          ["Is", "number"],
          ["Median of others", "number"],
          ["Away", "number"],
          ["Others", "number"],
        ],
        worst.map((one) => [
          nameOf(one),
          minute(one.time),
          one.field,
          one.price,
          String(one.median),
          priceChange(one.percent, { isSigned: true }),
          String(one.others),
        ]),
      ),
    ],
  ]);
}

/** The flags of `titan10 import` that say how a file is written. @module */
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { parseTimeFormat, type TimeFormat } from "../market/csv_time_format.ts";
import { readZone } from "../market/csv_time.ts";
import { fixedZone, namedZone, type TimeZone } from "../market/time_zone.ts";
import { errorText } from "../text/redact.ts";
import type { FormatOptions } from "../transfer/file_format.ts";
import { type NameTemplate, parseNameTemplate } from "../transfer/name_template.ts";
import { PRESET_NAMES } from "../transfer/presets/presets.ts";

/** What the flags say, as commander gathers it. */
export interface FormatFlags {
  readonly preset?: string;
  readonly name?: NameTemplate;
  readonly columns?: readonly string[];
  readonly timeFormat?: TimeFormat;
  readonly timezone?: TimeZone;
  readonly timeIs?: string;
  readonly decimal?: string;
  readonly delimiter?: string;
  readonly skipLines?: number;
  readonly volumeUnit?: string;
}

/** Adds the flags. */
export function addFormatFlags(command: Command): void {
  command
    .addOption(
      new Option(
        "--preset <source>",
        "where the file is from: binance, kraken, okx, … (docs/files.md)",
      )
        .argParser(presetFlag),
    )
    .option(
      "--name <template>",
      "what file names say: '{symbol}-{timeframe}-{date}'",
      parsed(parseNameTemplate),
    )
    .option(
      "--columns <names>",
      "names of the columns: time,open,high,low,close,volume,-",
      namesFlag,
    )
    .option(
      "--time-format <format>",
      "s, ms, us, ns, excel, or as '%d.%m.%Y %H:%M'",
      parsed(parseTimeFormat),
    )
    .option("--timezone <zone>", "of times without one: +02:00 or Europe/Berlin", zoneFlag)
    .addOption(
      new Option("--time-is <which>", "whether a time opens or closes its candle")
        .choices(["open", "close"]),
    )
    .addOption(new Option("--decimal <mark>", "the decimal mark of numbers").choices([".", ","]))
    .option("--delimiter <mark>", "what separates columns: ',' ';' '|' '\\t' or ' '", delimiterFlag)
    .option("--skip-lines <count>", "lines before the head, or the first row", linesFlag)
    .addOption(
      new Option("--volume-unit <unit>", "what the volume counts")
        .choices(["base", "quote", "contracts"]),
    );
}

/** What the flags mean to the reader of files. */
export function formatOf(flags: FormatFlags): FormatOptions {
  return {
    preset: flags.preset,
    nameTemplate: flags.name,
    columns: flags.columns,
    timeFormat: flags.timeFormat,
    zone: flags.timezone,
    timeIs: flags.timeIs as FormatOptions["timeIs"],
    decimal: flags.decimal as FormatOptions["decimal"],
    delimiter: flags.delimiter,
    skipLines: flags.skipLines,
    volumeUnit: flags.volumeUnit as FormatOptions["volumeUnit"],
  };
}

function presetFlag(text: string): string {
  if (PRESET_NAMES.includes(text)) return text;
  throw new InvalidArgumentError(`Allowed are ${PRESET_NAMES.join(", ")}.`);
}

function namesFlag(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}

function zoneFlag(text: string): TimeZone {
  const [name, aheadMs] = [text.trim(), readZone(text.trim())];
  const zone = aheadMs === undefined ? namedZone(name) : fixedZone(name, aheadMs);
  if (zone === undefined) {
    throw new InvalidArgumentError(
      "expected UTC, an offset as +02:00, or a place as Europe/Berlin",
    );
  }
  return zone;
}

function delimiterFlag(text: string): string {
  const mark = text === "\\t" || text === "tab" ? "\t" : text;
  if (/^[^\p{L}\p{N}."'+\r\n-]$/u.test(mark)) return mark;
  throw new InvalidArgumentError("expected one mark: ',' ';' '|' '\\t' or ' '");
}

function linesFlag(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("expected a number of lines, such as 2");
}

/** A parser whose error is one of usage. */
function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(errorText(error));
    }
  };
}

/** The flags of `titan10 import` that say how a file is written. @module */
import { type Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { parseTimeFormat, type TimeFormat } from "../market/csv_time_format.ts";
import { readZone } from "../market/csv_time.ts";
import { fixedZone, namedZone, type TimeZone } from "../market/time_zone.ts";
import type { VolumeUnit } from "../market/terms.ts";
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
  readonly timeIs?: "open" | "close";
  readonly decimal?: "." | ",";
  readonly delimiter?: string;
  readonly skipLines?: number;
  readonly volumeUnit?: VolumeUnit;
}

/** Adds the flags. */
export function addFormatFlags(command: Command): void {
  command
    .option("--preset <source>", "where it is from: kraken, … (docs/files.md)", presetFlag)
    .option(
      "--name <template>",
      "what file names say: '{symbol}-{timeframe}-{date}'",
      parsed(parseNameTemplate),
    )
    .option("--columns <names>", "time,open,high,low,close,volume,-", namesFlag)
    .option(
      "--time-format <format>",
      "s, ms, us, ns, excel, or as '%d.%m.%Y %H:%M'",
      parsed(parseTimeFormat),
    )
    .option("--timezone <zone>", "of times without one: +02:00 or Europe/Berlin", zoneFlag)
    .option("--time-is <open|close>", "what of its candle a time is", oneOf("open", "close"))
    .option("--decimal <mark>", "the decimal mark of numbers: . or ,", oneOf(".", ","))
    .option("--delimiter <mark>", "what separates columns: ',' ';' '|' '\\t' or ' '", delimiterFlag)
    .option("--skip-lines <count>", "lines before the head, or the first row", linesFlag)
    .option(
      "--volume-unit <unit>",
      "what the volume counts: base, quote, contracts",
      oneOf("base", "quote", "contracts"),
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
    timeIs: flags.timeIs,
    decimal: flags.decimal,
    delimiter: flags.delimiter,
    skipLines: flags.skipLines,
    volumeUnit: flags.volumeUnit,
  };
}

function presetFlag(text: string): string {
  if (PRESET_NAMES.includes(text)) return text;
  throw new InvalidArgumentError(`Allowed are ${PRESET_NAMES.join(", ")}.`);
}

function oneOf<const Choices extends readonly string[]>(
  ...choices: Choices
): (text: string) => Choices[number] {
  return (text) => {
    if (choices.includes(text)) return text;
    throw new InvalidArgumentError(`Allowed are ${choices.join(", ")}.`);
  };
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

/** Decides by their rows which columns of a file are which, and what the volume counts. @module */
import { volumeUnit } from "../exchange/volume_units.ts";
import { type CsvColumns, csvFields } from "../market/csv_candle.ts";
import type { VolumeProof } from "../market/csv_volume.ts";
import { priceOf } from "../market/price.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import type { VolumeUnit } from "../market/terms.ts";
import type { FileHead } from "./file_head.ts";
import type { Survey } from "./file_survey.ts";
import type { Preset } from "./presets/preset.ts";

/** The column of the volume, and what it counts. */
export interface ReadVolume {
  readonly at: number;
  /** `stored`: the same as the exchange's own; undefined: nothing says it. */
  readonly unit: VolumeUnit | "stored" | undefined;
  /** Whether the rows prove it. */
  readonly isProved: boolean;
}

export type Refuse = (why: string) => never;

export const EXAMPLE =
  "--columns time,open,high,low,close,volume, with a - for each column to leave out";

/** Fewer volumes may lie between the prices by chance. */
const PRICES_MIN = 10;

interface Meant {
  readonly exchange: string | undefined;
  readonly symbol: string | undefined;
}

interface NamedColumns {
  readonly head: FileHead;
  readonly columns: CsvColumns;
  readonly proof: VolumeProof;
}

interface SaidVolume extends Meant {
  /** What the user says. */
  readonly unit: VolumeUnit | undefined;
  readonly preset: Preset | undefined;
  /** Whether the user names the columns. */
  readonly isGiven: boolean;
  readonly refuse: Refuse;
}

/** The named volume, unless the rows prove that it is in another unit than is said. */
export function namedVolume(
  named: NamedColumns,
  said: SaidVolume,
): ReadVolume {
  const { columns, proof } = named;
  const { exchange, symbol, unit, preset, isGiven, refuse } = said;
  const at = columns.values[4]!;
  if (at < 0 || columns.isOwn === true) return { at, unit: "stored", isProved: true };
  if (!isGiven && proof.isUnfilled(at)) {
    refuse(`its volume is zero in all rows. Name the columns with ${EXAMPLE}`);
  }
  const bases = proof.bases();
  if (bases.includes(at)) {
    if (unit !== undefined && unit !== "base") {
      refuse(
        `its rows prove that the volume is in the base currency, not in ${unit} as --volume-unit says`,
      );
    }
    return { at, unit: "base", isProved: true };
  }
  const counts = unit ?? saidUnit(preset, symbol);
  // Of contracts, some exchanges' own volumes count contracts: then the column that the file calls so is the one.
  const own = exchange === undefined || symbol === undefined
    ? undefined
    : volumeUnit(exchange, kindOf(symbol));
  if ((counts === "contracts" && own === "contracts") || unit === "quote") {
    return { at, unit: counts, isProved: false };
  }
  if (isGiven && bases.length > 0) {
    refuse(
      `its rows prove that the volume in the base currency is column ${bases[0]! + 1}, not column ${
        at + 1
      }. ` +
        "Name them so with --columns",
    );
  }
  if (isGiven) return { at, unit: counts, isProved: false };
  if (bases.length === 1) return { at: bases[0]!, unit: "base", isProved: true };
  const size = proof.contractSize(at);
  if (size !== undefined && columns.turnovers.length > 0) {
    // A source whose files count contracts has whole ones.
    const mayCount = counts !== "contracts" || proof.isWhole(at);
    if (
      columns.turnovers.length === 1 && mayCount && symbol !== undefined &&
      kindOf(symbol) === "inverse"
    ) {
      // As CCXT has it: what an inverse contract's volume is worth in the base currency.
      return { at: columns.turnovers[0]!, unit: "base", isProved: true };
    }
    refuse(
      `its volume counts contracts of ${size}, or lots of another unit, not the base currency. ` +
        `If the exchange's own volumes do, say so with --volume-unit contracts. Name the column of the volume with ${EXAMPLE}`,
    );
  }
  checkUnproved(named, said, size);
  return { at, unit: counts, isProved: false };
}

/** @throws Error when a volume that no turnover proves cannot be one. */
function checkUnproved(
  { head, columns, proof }: NamedColumns,
  { exchange, symbol, unit, preset, refuse }: SaidVolume,
  size: number | undefined,
): void {
  const at = columns.values[4]!;
  const name = csvFields(head.text ?? "", head.separator)[at]?.trim() ?? "";
  if (
    proof.bases().length === 0 && isTurnoverFirst(exchange) && preset === undefined &&
    (/^vol$/i.test(name) ||
      (/^volume$/i.test(name) && at === columns.time + 1 && kindIn(symbol) === "spot"))
  ) {
    refuse(
      `${exchange}'s ${name} is turnover, and nothing in the file proves another meaning. ` +
        `Name the column of the volume with ${EXAMPLE}`,
    );
  }
  if (proof.isPrice(at) && proof.rows >= PRICES_MIN) {
    refuse(
      `its volume lies between low and high in all rows: it is an average price. Name the column of the volume with ${EXAMPLE}`,
    );
  }
  const [quote] = (columns.quoteVolumes ?? []).filter((one) => proof.isContradicted(at, one));
  if (quote !== undefined && size === undefined) {
    refuse(
      `its turnover, column ${quote + 1}, divided by its volume, column ${
        at + 1
      }, is no price of the candle: ` +
        `one of them is something else. Name the columns with ${EXAMPLE}`,
    );
  }
  const doubt = preset?.doubt;
  if (doubt !== undefined && unit === undefined && (!doubt.ofWhole || proof.isWhole(at))) {
    refuse(doubt.why);
  }
}

function saidUnit(
  preset: Preset | undefined,
  symbol: string | undefined,
): VolumeUnit | "stored" | undefined {
  const says = preset?.volume;
  if (says === undefined || says === "stored") return says;
  return symbol === undefined || priceOf(symbol) !== "trade" ? undefined : says[kindOf(symbol)];
}

function kindIn(symbol: string | undefined): SymbolKind | undefined {
  return symbol === undefined ? undefined : kindOf(symbol);
}

/** Exchanges whose files have the turnover where others have the volume. */
function isTurnoverFirst(exchange: string | undefined): boolean {
  return exchange !== undefined && /^(?:htx|huobi|gate|gateio)$/.test(exchange);
}

/** Without names: one reading alone must fit. */
export function unnamedColumns(
  { order, volumes, words: texts, width, hasCloseTime, noTime }: Survey,
  { exchange, symbol }: Meant,
  { refuse, presets }: {
    readonly refuse: Refuse;
    /** The sources whose columns the rows allow. */
    readonly presets: readonly string[];
  },
): CsvColumns {
  const source = presets.length === 0
    ? ""
    : `. Or say where the file is from, if it is one of these: --preset ${
      presets.join(", --preset ")
    }`;
  if (noTime !== undefined) {
    refuse(
      `it does not name its columns, and the first, ${
        JSON.stringify(noTime.slice(0, 40))
      }, is not a time. ` +
        `Say how times are written with --time-format, or name the columns with ${EXAMPLE}`,
    );
  }
  const ask = (why: string): never =>
    refuse(`it does not name its columns, and ${why}. Name them with ${EXAMPLE}${source}`);
  const { values, why } = width < 6 || [1, 2, 3, 4].some((at) => texts.has(at))
    ? { why: "the first six are not time, prices and volume" }
    : order.order();
  if (values === undefined && isTurnoverFirst(exchange) && width === 6) {
    return refuse(
      "it does not name its columns, and the base volume is not among them if they are time, " +
        "turnover, close, high, low and open, as Gate writes them. To take the turnover as volume: " +
        "--columns time,volume,close,high,low,open",
    );
  }
  if (values === undefined) return ask(why ?? "no order fits");
  const columns: CsvColumns = {
    exchange: undefined,
    instrument: [],
    constant: [],
    base: undefined,
    quote: undefined,
    timeframe: undefined,
    time: 0,
    clock: undefined,
    values: [...values, 5],
    turnovers: [],
    closeTime: hasCloseTime ? 6 : undefined,
    confirm: undefined,
    width,
  };
  const withVolume = (at: number): CsvColumns => ({ ...columns, values: [...values, at] });
  const bases = volumes.bases();
  if (hasCloseTime) {
    // Binance: volume, close time, turnover, trades, and what takers bought, which fits as well.
    if (bases.includes(5) || width < 8) return columns;
    const [size, kind] = [volumes.contractSize(5), kindIn(symbol)];
    if (size !== undefined && kind === "inverse") return withVolume(7);
    // Of inverse contracts the sixth counts contracts, which too few rows do not prove.
    return size === undefined && !volumes.hasVolume(5, 7) && kind !== "inverse"
      ? columns
      : ask("the sixth is not the volume in the base currency");
  }
  if (bases.length === 1) return withVolume(bases[0]!);
  if (bases.length > 1) return ask("several may be the volume");
  if (isTurnoverFirst(exchange)) return ask(`${exchange} writes the turnover before the volume`);
  if (volumes.isPrice(5)) return ask("the sixth looks like an average price");
  const isClear = Array.from({ length: width - 6 }, (_, index) => index + 6)
    .every((at) => texts.has(at) || volumes.isWhole(at));
  return isClear ? columns : ask("several may be the volume");
}

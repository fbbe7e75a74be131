/** What is known of the files of a source: their columns, times, volume and names. @module */
import type { Price } from "../../market/price.ts";
import type { SymbolKind } from "../../market/symbol.ts";
import type { VolumeUnit } from "../../market/terms.ts";
import type { NameParts } from "../name_template.ts";

/** What a name of a file says of the series. */
export interface SourceNames extends NameParts, Pick<FileName, "price" | "kind" | "zoneMs"> {}

/** A form of name that the source's files have. */
interface FileName {
  /** Its groups are parts of names; the name is without endings such as `.csv.gz`. */
  readonly form: RegExp;
  /** Whether it proves, together with the columns, where the file is from. */
  readonly isOwn: boolean;
  /** Of files whose candles are not of trades. */
  readonly price?: Price | undefined;
  /** Of names that only markets of some kinds have. */
  readonly kind?: SymbolKind | "contract" | undefined;
  /** How far times without a zone are ahead of UTC. Milliseconds. */
  readonly zoneMs?: number | undefined;
}

/** Columns of rows without names. */
export interface Layout {
  /** Their names; `-` for one that is of no use. */
  readonly columns: readonly string[];
  /** Kinds of market whose files have them; all, if it is not said. */
  readonly kinds?: readonly SymbolKind[] | undefined;
}

export interface Preset {
  readonly name: string;
  /** CCXT's id, where all files are of one exchange. */
  readonly exchange?: string | undefined;
  /** Kinds of market that files may be of; all, if it is not said. */
  readonly kinds?: readonly SymbolKind[] | undefined;
  readonly layouts?: readonly Layout[] | undefined;
  /** Heads that only this source writes: names in lower case, joined by commas. */
  readonly heads?: readonly RegExp[] | undefined;
  /** Names of columns that mean something else here than elsewhere, in lower case. */
  readonly renamed?: Readonly<Record<string, string>> | undefined;
  readonly fileNames?: readonly FileName[] | undefined;
  /** Heads that others write, too: together with a name of its own they prove that a file is from here. */
  readonly namedHead?: RegExp | undefined;
  /** Folders that say which kind of market or price its files are of. */
  readonly folders?:
    | readonly {
      readonly form: RegExp;
      readonly kind?: SymbolKind | "contract" | undefined;
      readonly price?: Price | undefined;
    }[]
    | undefined;
  /** How the timeframe is written in file names, where that is not as elsewhere. */
  readonly timeframe?: ((text: string) => string | undefined) | undefined;
  /** Whether two coins without a word more are a spot market, because contracts have other names. */
  readonly isPlainSpot?: boolean | undefined;
  /** All quote currencies of the source. They tell where `BTCUSDT` is to be split. */
  readonly quotes?: readonly string[] | undefined;
  /** The source's own codes of coins. */
  readonly coins?: Readonly<Record<string, string>> | undefined;
  /** How far times without a zone are ahead of UTC. Milliseconds; undefined: as other files, or the user has to say it. */
  readonly zoneMs?: number | undefined;
  /** Whether the date in a file's name is, by UTC, that of all its candles. */
  readonly hasUtcDates?: boolean | undefined;
  /** What the volume counts; `stored`: what the exchange's own counts, whatever that is. */
  readonly volume?: Readonly<Partial<Record<SymbolKind, VolumeUnit>>> | "stored" | undefined;
  /** Why its volume cannot be stored, unless the user says what it counts. */
  readonly doubt?: {
    readonly why: string;
    /** Only where all volumes are whole numbers. */
    readonly ofWhole: boolean;
  } | undefined;
}

/** Tells by its first bytes what a file is that holds no CSV, and what to do with it. @module */
import { shellWord } from "../text/shell_word.ts";

const TO_CSV = "save it as CSV first";
const UNPACK = "unpack it first";

/** By the first bytes; `<DATE>` begins the names of columns in files of MetaTrader. Text is Latin-1, one character a byte. */
const KINDS: readonly (readonly [begin: RegExp, what: string])[] = [
  [/^PAR1/, `a Parquet file: ${TO_CSV}`],
  [/^ARROW1/, `a Feather file: ${TO_CSV}`],
  [/^\x28\xb5\x2f\xfd/, `packed by zstd: ${UNPACK}`],
  [/^\xfd7zXZ/, `packed by xz: ${UNPACK}`],
  [/^BZh[1-9]/, `packed by bzip2: ${UNPACK}`],
  [/^7z\xbc\xaf/, `a 7z archive: ${UNPACK}`],
  [/^Rar!/, `a RAR archive: ${UNPACK}`],
  [/^[^]{257}ustar/, `a tar archive: ${UNPACK}`],
  // deno-lint-ignore no-control-regex -- It is what such a file begins with.
  [/^\xd0\xcf\x11\xe0/, `an Excel workbook (.xls): ${TO_CSV}`],
  [/^\x89HDF/, `an HDF5 file: ${TO_CSV}`],
  [/^SQLite format 3/, "an SQLite database: save its table as CSV first"],
  [/^%PDF/, `a PDF document: ${TO_CSV}`],
  [/^(?:\x89PNG|\xff\xd8\xff|GIF8)/, "a picture, not candles"],
  [/^\x7fELF/, "a program, not candles"],
  [
    /^(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head)\b/i,
    "an HTML page, perhaps an error page instead of the file: download it again",
  ],
  [/^(?:\xef\xbb\xbf)?\s*<\?xml/, `XML: ${TO_CSV}`],
  [/^(?:\xef\xbb\xbf)?\s*[[{]/, `JSON: ${TO_CSV}`],
];

/** Enough for the longest of them. */
const BYTES_MAX = 1024;

/** What is said of bytes that are no UTF-8. */
export const NOT_UTF8 = "it is not text in UTF-8 or UTF-16. Save it as CSV in UTF-8 first";

/**
 * What the file is and what to do, to follow "it is". Undefined where it may be CSV.
 *
 * @param first The first bytes.
 * @param path As the user named it; `-` is standard input.
 */
export function otherKind(first: Uint8Array, path: string): string | undefined {
  const begin = String.fromCharCode(...first.subarray(0, BYTES_MAX));
  // deno-lint-ignore no-control-regex -- It is what such an archive begins with.
  if (/^PK(?:\x03\x04|\x05\x06)/.test(begin)) return zipKind(first, path);
  const [, what] = KINDS.find(([pattern]) => pattern.test(begin)) ?? [];
  if (what !== undefined) return what;
  // Without a mark at the start, ASCII in UTF-16 shows by its zero bytes.
  return !/^(?:\xff\xfe|\xfe\xff)/.test(begin) && /^(?:[^\0]\0){4}|^(?:\0[^\0]){4}/.test(begin)
    ? "UTF-16 without a byte order mark: save it in UTF-8 first"
    : undefined;
}

/** A workbook of Excel is a ZIP archive, too. Its first entries say so. */
function zipKind(first: Uint8Array, path: string): string {
  const text = new TextDecoder("latin1").decode(first);
  if (/\[Content_Types\]\.xml|xl\//.test(text)) {
    return `an Excel workbook (.xlsx): ${TO_CSV}`;
  }
  return path === "-"
    ? "a ZIP archive: unpack it first, with unzip -p"
    : `a ZIP archive: unpack it first, as with unzip -p ${shellWord(path)} | titan10 import - …`;
}

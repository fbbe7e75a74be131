/** Tells by its first bytes what a file is. @module */

const TO_CSV = "save it as CSV first";
const UNPACK = "unpack it first";

/** Files that hold tables, and are read by their own readers. */
type Container = "zip" | "parquet" | "feather" | "arrow";

/** Text is Latin-1, one character a byte. */
const CONTAINERS: readonly (readonly [begin: RegExp, container: Container, what: string])[] = [
  // The second is an empty archive, the third the first part of a split one.
  // deno-lint-ignore no-control-regex -- It is what such an archive begins with.
  [/^PK(?:\x03\x04|\x05\x06|\x07\x08)/, "zip", "a ZIP archive"],
  [/^PAR1/, "parquet", "a Parquet file"],
  [/^ARROW1/, "feather", "a Feather file"],
  // The mark that a message follows, its length, and where its table of contents lies.
  [/^\xff{4}[^][^]\0\0[^]\0\0\0/, "arrow", "a stream of Arrow"],
];

/** By the first bytes; `<DATE>` begins the names of columns in files of MetaTrader. */
const KINDS: readonly (readonly [begin: RegExp, what: string])[] = [
  [/^FEA1/, `a Feather file of version 1: save it in version 2, or as CSV`],
  [/^PARE/, `a Parquet file that is encrypted: ${TO_CSV}`],
  [/^\xfd7zXZ/, `packed by xz: ${UNPACK}`],
  [/^BZh[1-9]/, `packed by bzip2: ${UNPACK}`],
  // deno-lint-ignore no-control-regex -- It is what such a file begins with.
  [/^\x04\x22\x4d\x18/, `packed by lz4: ${UNPACK}`],
  [/^7z\xbc\xaf/, `a 7z archive: ${UNPACK}`],
  [/^Rar!/, `a RAR archive: ${UNPACK}`],
  [/^[^]{257}ustar/, `a tar archive: ${UNPACK}`],
  // deno-lint-ignore no-control-regex -- It is what such a file begins with.
  [/^\xd0\xcf\x11\xe0/, `an Excel workbook (.xls): ${TO_CSV}`],
  [/^ORC/, `an ORC file: ${TO_CSV}`],
  // deno-lint-ignore no-control-regex -- It is what such a file begins with.
  [/^Obj\x01/, `an Avro file: ${TO_CSV}`],
  // deno-lint-ignore no-control-regex -- It is what such a file begins with.
  [/^\x80[\x02-\x05][^]/, `a pickle of Python: ${TO_CSV}`],
  [/^\x93NUMPY/, `an array of NumPy: ${TO_CSV}`],
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
];

/** What is said of bytes that are no UTF-8. */
export const NOT_UTF8 = "it is not text in UTF-8 or UTF-16. Save it as CSV in UTF-8 first";

/** Which reader a file needs; undefined where it may be text. */
export function containerOf(first: Uint8Array): Container | undefined {
  const begin = latin1(first);
  return CONTAINERS.find(([pattern]) => pattern.test(begin))?.[1];
}

/** What a file is that no reader takes, and what to do, to follow "it is". Undefined where it may be text. */
export function otherKind(first: Uint8Array): string | undefined {
  const begin = latin1(first);
  const container = CONTAINERS.find(([pattern]) => pattern.test(begin));
  // Inside of another one it cannot be read from its end.
  if (container !== undefined) return `${container[2]}, packed once more: ${UNPACK}`;
  return KINDS.find(([pattern]) => pattern.test(begin))?.[1];
}

/** Whether a text is JSON, in whatever encoding. */
export function isJson(first: Uint8Array): boolean {
  return /^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*[[{]/.test(latin1(first));
}

/** How a text is written. Without a mark at the start, ASCII in UTF-16 shows by its zero bytes. */
export function encodingOf(first: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  const begin = latin1(first);
  if (/^\xff\xfe|^(?:[^\0]\0){4}/.test(begin)) return "utf-16le";
  return /^\xfe\xff|^(?:\0[^\0]){4}/.test(begin) ? "utf-16be" : "utf-8";
}

/** A character for each byte. */
function latin1(first: Uint8Array): string {
  return String.fromCharCode(...first.subarray(0, BYTES_MAX));
}

/** Enough for the longest of the patterns. */
const BYTES_MAX = 1024;

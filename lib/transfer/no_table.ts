/** Tells what in an archive is no table, by what it holds: notes, checksums, what macOS adds. @module */
import { encodingOf, isJson, otherKind } from "./file_kind.ts";

/** Fewer numbers in a line are no candle. */
const NUMBERS_MIN = 4;

/** `<hash>  <file>`, and BSD's `SHA256 (file) = <hash>`. */
const CHECKSUM = /^\s*(?:[0-9a-f]{32,128}(?:\s+\*?\S.*)?|\w+ \(.*\) = [0-9a-f]{32,128})\s*$/i;

/**
 * Why a file holds no table; undefined if it may hold one.
 *
 * @param first Its first bytes, {@linkcode NO_TABLE_BYTES} or all that it has.
 */
export function noTable(first: Uint8Array): string | undefined {
  if (first.length === 0) return "it is empty";
  const view = new DataView(first.buffer, first.byteOffset, first.length);
  const mark = first.length < 4 ? 0 : view.getUint32(0);
  if (mark === 0x00051607) return "it holds what macOS knows of a file";
  if (mark === 1 && first.length >= 8 && view.getUint32(4) === 0x42756431) {
    return "it holds what macOS knows of a folder";
  }
  const kind = otherKind(first);
  if (kind !== undefined) return /^a (?:PDF document|picture)/.exec(kind)?.[0] && `it is ${kind}`;
  if (isJson(first) || encodingOf(first) !== "utf-8" || first.includes(0)) return undefined;
  const lines = new TextDecoder().decode(first).split(/[\r\n]+/).filter((line) =>
    line.trim() !== ""
  );
  if (lines.length > 0 && lines.every((line) => CHECKSUM.test(line))) return "it holds checksums";
  // A table of a head alone is one without rows, which its reader says.
  const isHead = lines.length <= 2 && (lines[0] ?? "").split(/[,;\t]/).length > NUMBERS_MIN;
  return isHead || lines.some(hasNumbers) ? undefined : "it holds no rows of numbers";
}

/** How many bytes show whether there are rows. */
export const NO_TABLE_BYTES = 4096;

function hasNumbers(line: string): boolean {
  const fields = line.split(/[,;\t]/);
  return fields.filter((field) => /^[\s"']*[+-]?[\d.][\d.,eE+-]*[\s"']*$/.test(field)).length >=
    NUMBERS_MIN;
}

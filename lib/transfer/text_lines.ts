/** Cuts texts into lines, whatever ends them. @module */
import { printable } from "../text/printable.ts";
import { NOT_UTF8 } from "./file_kind.ts";
import type { FileLine } from "./file_lines.ts";

/** Ten times longer than any candle. */
export const LINE_CHARACTERS_MAX = 64 * 1024;

const TOO_LONG = "it has a line that is too long for a candle";

/** Lines that came together. */
export interface Texts {
  readonly bytes?: undefined;
  readonly texts: readonly string[];
  readonly isEnded: boolean;
}

/** Everything below space but the tab, and DEL. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f-\x9f]/;

/** @throws Error when the line is no text. */
export function checkedLine(path: string, line: FileLine): FileLine {
  const { text, number } = line;
  if (text.length > LINE_CHARACTERS_MAX) {
    throw new Error(`Cannot read ${printable(path)}: ${TOO_LONG}`);
  }
  if (!CONTROLS.test(text)) return line;
  const why = text.includes("\0")
    ? "it has zero bytes: the file was not written to its end. Download it again"
    : "it has control characters";
  throw new Error(`Cannot read line ${number} of ${printable(path)}: ${why}`);
}

/**
 * The lines of UTF-8 that ends with a line feed.
 *
 * @param isFirst Whether they are a file's first, which may begin with a byte order mark.
 * @throws Error that names the file
 */
export function linesOf(
  path: string,
  { bytes, isFirst }: { readonly bytes: Uint8Array; readonly isFirst: boolean },
): readonly string[] {
  const texts = decodeNamed(path, isFirst ? MARKED : UNMARKED, bytes).split("\n");
  texts.pop();
  return texts.some((text) => text.includes("\r")) ? texts.flatMap(withoutReturns) : texts;
}

const MARKED = new TextDecoder("utf-8", { fatal: true });
const UNMARKED = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeNamed(path: string, decoder: TextDecoder, bytes: Uint8Array): string {
  try {
    return decode(decoder, bytes);
  } catch (error) {
    throw new Error(`Cannot read ${printable(path)}: ${NOT_UTF8}`, { cause: error });
  }
}

/** @throws Error when it is no such text. */
export function decode(decoder: TextDecoder, chunk?: Uint8Array, stream = false): string {
  try {
    return decoder.decode(chunk, { stream });
  } catch (error) {
    throw new Error(NOT_UTF8, { cause: error });
  }
}

/** The lines of pieces of a text. */
export async function* textLines(
  pieces: AsyncGenerator<string, void>,
): AsyncGenerator<Texts, void> {
  let rest = "";
  for await (const piece of pieces) {
    const texts = (rest + piece).split("\n");
    rest = texts.pop() ?? "";
    if (!piece.includes("\r") && !rest.includes("\r") && !(texts[0] ?? "").includes("\r")) {
      yield { texts, isEnded: true };
    } else {
      const ended = texts.flatMap(withoutReturns);
      // Without a line feed in sight, as on old Macs: a carriage return at the end may still be followed by one.
      const own = withoutEnd(rest);
      const more = own.split("\r");
      rest = more.pop() + rest.slice(own.length);
      yield { texts: [...ended, ...more], isEnded: true };
    }
    if (rest.length > LINE_CHARACTERS_MAX) {
      throw new Error(TOO_LONG);
    }
  }
  // A checksum would prove nothing: what was packed may have been cut before, or lack the members behind it.
  const last = withoutEnd(rest);
  if (last !== "") yield { texts: [last], isEnded: last !== rest };
}

/** The lines of what ends with a line feed: one, whatever carriage returns stand before it, or several of an old Mac. */
function withoutReturns(text: string): readonly string[] {
  if (!text.includes("\r")) return [text];
  return withoutEnd(text).split("\r");
}

function withoutEnd(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === 0x0d) end--;
  return text.slice(0, end);
}

/** The ways in which a secret may be written when something repeats it. @module */

/** Shorter secrets are hidden only as whole words, as they are. Otherwise parts of ordinary words would be hidden. */
export const SECRET_LENGTH_PLAIN = 8;

/** Longer secrets are looked for in parts of this length, so that no pattern becomes too large. */
const PART_CHARACTERS = 256;

/** A shorter line of a key is not looked for by itself. */
const LINE_CHARACTERS_MIN = 16;

/** Shorter base64 may be a part of any word. */
const BASE64_CHARACTERS_MIN = 8;

/**
 * Patterns of a secret in plain text, in large or small letters, percent-encoded, escaped as in JSON, HTML, SQL and CSV, for
 * a shell and by {@linkcode printable}, without what was not understood of it, in hexadecimal digits, in base64 (also as a
 * part of a longer text, such as `user:password`), and in any mixture and repetition of these escapes.
 */
export function spellingsOf(secret: string): readonly RegExp[] {
  // Headers and settings lose the space around a text.
  const parts = new Set([secret, secret.trim()].flatMap(partsOf));
  return [...parts].flatMap((part) => {
    if (part === "") return [];
    const plain = patternOf(part);
    const isShort = part.length < SECRET_LENGTH_PLAIN;
    return [
      isShort
        ? new RegExp(`(?<![\\p{L}\\p{N}])${plain}(?![\\p{L}\\p{N}])`, "gu")
        : new RegExp(plain, "giu"),
      new RegExp(bytesPattern(part, "%(?:25)*"), "giu"),
      new RegExp(bytesPattern(part, ""), "giu"),
      ...base64Of(part).map((core) =>
        new RegExp(`${BASE64}?${patternOf(core)}${BASE64}?${BASE64_END}`, "gu")
      ),
    ];
  });
}

/** The whole secret, and of one with many lines, as a private key is, each line. */
function partsOf(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/).map((line) => line.trim()).filter((line) =>
    line.length >= LINE_CHARACTERS_MIN && !line.startsWith("-----") && line !== secret
  );
  if (secret.length <= PART_CHARACTERS) return [secret, ...lines];
  const parts: string[] = [];
  for (let at = 0; at < secret.length; at += PART_CHARACTERS) {
    const rest = secret.length - at - PART_CHARACTERS;
    // No short rest at the end: it would be found only as a whole word.
    const isLast = rest < SECRET_LENGTH_PLAIN;
    parts.push(secret.slice(at, isLast ? undefined : at + PART_CHARACTERS));
    if (isLast) break;
  }
  return [...parts, ...lines];
}

/** Rows of characters that are spelled as one. */
const ROWS = /[\\'"]+|[\p{Cc}\s?\u{80}-\u{10ffff}]+|./gsu;

/**
 * No text matches in two ways, as far as the next row: with `n` rows the engine would try 2ⁿ ways before it finds that
 * none leads to the end.
 */
function patternOf(text: string): string {
  // So much of it must be there that nothing else is taken for it.
  const isLoose = text.replace(/[\p{Cc}\s?\u{80}-\u{10ffff}]/gu, "").length >= SECRET_LENGTH_PLAIN;
  let pattern = "";
  // One is found among many, and looking for more at every place takes long.
  let escaped = "\\\\";
  for (const { 0: row, index } of text.matchAll(ROWS)) {
    const isQuoting = /^[\\'"]/.test(row);
    if (isQuoting) pattern += quotingPattern(row, text.slice(index + row.length));
    else {
      const spelled = [...row].map((character, at) =>
        anyOf(spellingsOfCharacter(character, at === 0 ? escaped : ESCAPED))
      ).join("");
      const unread = isLoose ? unreadable(row) : undefined;
      pattern += unread === undefined
        ? spelled
        : anyOf([spelled, `(?!${spelled}(?!${UNREADABLE}))${unread}`]);
    }
    // The row before has taken all backslashes.
    escaped = isQuoting ? "" : ESCAPED;
  }
  return pattern;
}

/**
 * A row of quotes and backslashes, which escape each other in many ways: SQL and CSV double quotes, a shell writes '\'' for
 * one. Taken as a whole, to its end, in any order.
 *
 * @param rest what follows. A spelling that it begins with itself is left out.
 */
function quotingPattern(row: string, rest: string): string {
  const characters = [...new Set(row)];
  const plain = `[\\\\${characters.filter((character) => character !== "\\").join("")}]`;
  const spelled = characters.flatMap((character) => spellingsOfCharacter(character, "").slice(1))
    .filter((spelling) => !new RegExp(`^${spelling}`, "iu").test(rest));
  const count = `{${row.length},${row.length * (ESCAPES_MAX + 1) + ESCAPES_MAX}}`;
  return anyOf([plain, ...spelled]) + count + (rest === "" ? "" : `(?!${plain})`);
}

/** Lines are joined, moved in and separated in other ways. */
const SPACES_MAX = 32;

const UNREADABLE = "[?\\ufffd\\s]";

/** What stands for a row of line breaks, control characters and another script where a program does not know or show them. */
function unreadable(row: string): string | undefined {
  const letters = row.match(/[^\0-\x7f]/gu)?.length ?? 0;
  if (letters === 0 && !/\p{Cc}/u.test(row)) return undefined;
  const bytes = new TextEncoder().encode(row).length;
  return `${UNREADABLE}{${letters},${bytes + (letters === 0 ? SPACES_MAX : 0)}}`;
}

/** Each nesting doubles the backslashes: JSON in JSON in JSON is enough. */
const ESCAPES_MAX = 8;

const ESCAPED = `\\\\{1,${ESCAPES_MAX}}`;

/** The character itself, then its other spellings, behind these backslashes where they escape it. */
function spellingsOfCharacter(character: string, escaped: string): readonly string[] {
  // Nothing escapes these, so that most of a pattern is plain text, which is found quickly.
  if (/[\w.-]/.test(character)) return [RegExp.escape(character)];
  const code = character.codePointAt(0)!;
  const unicode = character.split("").map((unit) => `u${hexPattern(unit.charCodeAt(0), 4)}`);
  const letter = LETTERS[character] ??
    (character === "/" && escaped !== "" ? character : undefined);
  const behindBackslashes = [
    unicode.join(ESCAPED),
    `u\\{0*${hexPattern(code)}\\}`,
    `x${hexPattern(code, 2)}`,
    ...(letter === undefined ? [] : [letter]),
  ];
  return [
    RegExp.escape(character),
    bytesPattern(character, "%(?:25)*"),
    escaped + anyOf(behindBackslashes),
    `&#(?:0*${code}|[xX]0*${hexPattern(code)});`,
    ...(code > 0x7f ? foreignSpellings(character, escaped) : []),
    ...(OTHERS[character] ?? []),
  ];
}

/** A character that is not ASCII where its bytes are taken for characters, or its number for a byte. */
function foreignSpellings(character: string, escaped: string): readonly string[] {
  const bytes = [...new TextEncoder().encode(character)];
  const units = character.split("").map((unit) => `%(?:25)*u${hexPattern(unit.charCodeAt(0), 4)}`);
  return [
    RegExp.escape(asBytes(character)),
    escaped + bytes.map((byte) => `x${hexPattern(byte, 2)}`).join(ESCAPED),
    `%(?:25)*${hexPattern(character.codePointAt(0)!, 2)}`,
    units.join(""),
  ];
}

/** What stands for single characters besides. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  " ": ["\\+"],
  '"': ["&quot;"],
  "'": ["&apos;"],
  // The next two are base64 for URLs.
  "/": ["_"],
  "+": ["-"],
  "&": ["&amp;"],
  "<": ["&lt;"],
  ">": ["&gt;"],
};

/** What stands for them behind a backslash. */
const LETTERS: Readonly<Record<string, string>> = {
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
};

function anyOf(patterns: readonly string[]): string {
  return patterns.length === 1 ? patterns[0]! : `(?:${patterns.join("|")})`;
}

/** Every byte in hexadecimal digits, each behind `mark`: `%(?:25)*` for percent-encoding, once or several times. */
function bytesPattern(text: string, mark: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => mark + hexPattern(byte, 2)).join("");
}

/** A number in hexadecimal digits, large or small. */
function hexPattern(value: number, digits = 1): string {
  return value.toString(16).padStart(digits, "0").replace(
    /[a-f]/g,
    (digit) => `[${digit}${digit.toUpperCase()}]`,
  );
}

/** A character of base64, of the kind for URLs, too. */
const BASE64 = "[A-Za-z0-9+/_-]";

const BASE64_END = "(?:=|%(?:25)*3[dD]){0,2}";

/**
 * What base64 makes of a secret, wherever the secret begins in the text: at each of three places, the characters that
 * depend on nothing before and after the secret.
 */
function base64Of(secret: string): readonly string[] {
  const texts = new Set([secret, JSON.stringify(secret).slice(1, -1)].map(asBytes));
  // As `btoa` takes a text: its characters for bytes.
  if (/^[\0-\xff]+$/.test(secret)) texts.add(secret);
  return [...texts].flatMap(coresOf);
}

/** Its bytes in UTF-8, each as a character. */
function asBytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function coresOf(bytes: string): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = "\0".repeat(before) + bytes;
    const core = btoa(padded).slice(
      Math.ceil(before * 8 / 6),
      Math.floor(padded.length * 8 / 6),
    );
    return core.length < BASE64_CHARACTERS_MIN ? [] : [core];
  });
}

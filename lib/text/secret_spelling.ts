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

/** Rows of characters that are spelled as one. Single patterns for them would take forever where they do not match. */
const ROWS = /\\+|'+|"+|[\p{Cc}\s?\u{80}-\u{10ffff}]+|./gsu;

function patternOf(text: string): string {
  // So much of it must be there that nothing else is taken for it.
  const isLoose = text.replace(/[\p{Cc}\s?\u{80}-\u{10ffff}]/gu, "").length >= SECRET_LENGTH_PLAIN;
  return (text.match(ROWS) ?? []).map((row) => {
    if (row.startsWith("\\")) {
      return `(?:\\\\{${row.length},${row.length * ESCAPES_MAX}}|(?:%(?:25)*5[cC]){${row.length}})`;
    }
    const spelled = [...row].map((character) => anyOf(spellingsOfCharacter(character)));
    // SQL and CSV double quotes, and a shell writes '\'' for one.
    if (/^['"]/.test(row)) return `${spelled[0]}{${row.length},${3 * row.length}}`;
    return anyOf([spelled.join(""), ...(isLoose ? unreadable(row) : [])]);
  }).join("");
}

/** Lines are joined, moved in and separated in other ways. */
const SPACES_MAX = 32;

/** What stands for a row of line breaks, control characters and another script where a program does not know or show them. */
function unreadable(row: string): readonly string[] {
  const letters = row.match(/[^\0-\x7f]/gu)?.length ?? 0;
  if (letters === 0 && !/\p{Cc}/u.test(row)) return [];
  const bytes = new TextEncoder().encode(row).length;
  return [`[?\\ufffd\\s]{${letters},${bytes + (letters === 0 ? SPACES_MAX : 0)}}`];
}

/** Each nesting doubles the backslashes: JSON in JSON in JSON is enough. */
const ESCAPES_MAX = 8;

const ESCAPED = `\\\\{1,${ESCAPES_MAX}}`;

function spellingsOfCharacter(character: string): readonly string[] {
  // Nothing escapes these, so that most of a pattern is plain text, which is found quickly.
  if (/[\w.-]/.test(character)) return [RegExp.escape(character)];
  const code = character.codePointAt(0)!;
  const unicode = character.split("").map((unit) =>
    `${ESCAPED}u${hexPattern(unit.charCodeAt(0), 4)}`
  );
  return [
    RegExp.escape(character),
    bytesPattern(character, "%(?:25)*"),
    unicode.join(""),
    `${ESCAPED}(?:u\\{0*${hexPattern(code)}\\}|x${hexPattern(code, 2)})`,
    `&#(?:0*${code}|[xX]0*${hexPattern(code)});`,
    ...(code > 0x7f ? foreignSpellings(character) : []),
    ...(OTHERS[character] ?? []),
  ];
}

/** A character that is not ASCII where its bytes are taken for characters, or its number for a byte. */
function foreignSpellings(character: string): readonly string[] {
  const bytes = [...new TextEncoder().encode(character)];
  const units = character.split("").map((unit) => `%(?:25)*u${hexPattern(unit.charCodeAt(0), 4)}`);
  return [
    RegExp.escape(asBytes(character)),
    bytes.map((byte) => `${ESCAPED}x${hexPattern(byte, 2)}`).join(""),
    `%(?:25)*${hexPattern(character.codePointAt(0)!, 2)}`,
    units.join(""),
  ];
}

/** What stands for single characters besides. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  " ": ["\\+"],
  '"': [`${ESCAPED}"`, "&quot;"],
  "'": [`${ESCAPED}'`, "&apos;"],
  // The last is base64 for URLs.
  "/": [`${ESCAPED}/`, "_"],
  "+": ["-"],
  "&": ["&amp;"],
  "<": ["&lt;"],
  ">": ["&gt;"],
  "\b": [`${ESCAPED}b`],
  "\f": [`${ESCAPED}f`],
  "\n": [`${ESCAPED}n`],
  "\r": [`${ESCAPED}r`],
  "\t": [`${ESCAPED}t`],
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

/** The ways in which a secret may be written when something repeats it. @module */

/** Shorter secrets are hidden only as whole words. Otherwise parts of ordinary words would be hidden. */
const SECRET_LENGTH_PLAIN = 8;

/** Longer secrets are looked for in parts of this length, so that no pattern becomes too large. */
const PART_CHARACTERS = 256;

/** A shorter line of a key is not looked for by itself. */
const LINE_CHARACTERS_MIN = 16;

/** Shorter base64 may be a part of any word. */
const BASE64_CHARACTERS_MIN = 8;

/**
 * Patterns of a secret in plain text, percent-encoded, escaped as in JSON, HTML and SQL, in base64 (also as a part of a
 * longer text, such as `user:password`), and in any mixture and repetition of these escapes.
 */
export function spellingsOf(secret: string): readonly RegExp[] {
  return partsOf(secret).flatMap((part) => {
    const characters = [...part];
    if (characters.length === 0) return [];
    const plain = patternOf(characters);
    const isShort = part.length < SECRET_LENGTH_PLAIN;
    return [
      new RegExp(isShort ? `(?<![\\p{L}\\p{N}])${plain}(?![\\p{L}\\p{N}])` : plain, "gu"),
      new RegExp(percentPattern(part), "gu"),
      ...base64Of(part).map((core) =>
        new RegExp(`${BASE64}?${patternOf([...core])}${BASE64}?${BASE64_END}`, "gu")
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

function patternOf(characters: readonly string[]): string {
  let pattern = "";
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character !== "\\") {
      pattern += anyOf(spellingsOfCharacter(character));
      continue;
    }
    // As one, because a pattern for each backslash of a row would take forever where it does not match.
    let row = 1;
    while (characters[at + 1] === "\\") {
      row++;
      at++;
    }
    pattern += `(?:\\\\{${row},${row * ESCAPES_MAX}}|(?:%(?:25)*5[cC]){${row}})`;
  }
  return pattern;
}

/** Each nesting doubles the backslashes: JSON in JSON in JSON is enough. */
const ESCAPES_MAX = 8;

const ESCAPED = `\\\\{1,${ESCAPES_MAX}}`;

function spellingsOfCharacter(character: string): readonly string[] {
  // Nothing escapes these, so that most of a pattern is plain text, which is found quickly.
  if (/[\w.-]/.test(character)) return [RegExp.escape(character)];
  const unicode = character.split("").map((unit) =>
    `${ESCAPED}u${hexPattern(unit.charCodeAt(0), 4)}`
  );
  return [
    RegExp.escape(character),
    percentPattern(character),
    unicode.join(""),
    ...(OTHERS[character] ?? []),
  ];
}

/** What stands for single characters besides. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  " ": ["\\+"],
  '"': [`${ESCAPED}"`, "&quot;", "&#0?34;"],
  "'": [`${ESCAPED}'`, "''", "&#0?39;", "&#[xX]27;", "&apos;"],
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

/** Every byte percent-encoded, once or several times. */
function percentPattern(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => `%(?:25)*${hexPattern(byte, 2)}`).join(
    "",
  );
}

/** A number in hexadecimal digits, large or small. */
function hexPattern(value: number, digits: number): string {
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
  const bytes = new TextEncoder().encode(secret);
  return [0, 1, 2].flatMap((before) => {
    const padded = new Uint8Array(before + bytes.length);
    padded.set(bytes, before);
    const core = btoa(String.fromCharCode(...padded)).slice(
      Math.ceil(before * 8 / 6),
      Math.floor(padded.length * 8 / 6),
    );
    return core.length < BASE64_CHARACTERS_MIN ? [] : [core];
  });
}

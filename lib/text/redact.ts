/** Hides secrets in every text that leaves the program: logs, errors, messages, columns of tables. @module */
import { withoutAdvice } from "./refused_access.ts";
import { SECRET_LENGTH_PLAIN, spellingsOf } from "./secret_spelling.ts";

/** Replaces a secret. */
export const REDACTED = "***";

/** An error for the log: without secrets, and with a limited number of causes. */
export interface RedactedError {
  readonly name: string;
  readonly message: string;
  /** The `kind` of an error of this program, such as `transient`. */
  readonly kind?: string;
  /** The code of a system or database error, such as `ECONNREFUSED` or `57P01`. */
  readonly code?: string;
  /** Only the frames; the first lines repeat name and message. */
  readonly stack?: string;
  readonly cause?: RedactedError;
}

/** Longer chains of causes are cut: they may be endless. */
const CAUSES_MAX = 8;

/** Longer texts of errors are cut: an exchange or a database may repeat anything of any length. */
const ERROR_CHARACTERS_MAX = 1_000;

/** More of an error's text is not searched for secrets, and not shown. */
const SEARCHED_CHARACTERS_MAX = 32 * 1024;

/** More than any spelling of a secret takes; longer ones are searched for in parts. */
const HALF_MAX = 2 * 1024;

/** Passwords that everybody guesses are words of our own messages, too, and hiding them there protects nothing. */
const EVERYDAY: ReadonlySet<string> = new Set(
  ["titan10", "titan", "postgres", "password", "secret", "user", "admin", "test", "changeme"],
);

/** A shorter password is guessed as easily. */
const GUESSED_LENGTH = 4;

const known = new Set<string>();
let redactKnown = redactorOf(known);
/** The spellings of those that are long, made when they are needed. */
let longOnes: readonly RegExp[] = [];
const isLong = (secret: string): boolean => secret.trim().length >= SECRET_LENGTH_PLAIN;

/**
 * Hides these secrets in every text that is redacted from now on. The process knows them, not each way out: one that
 * was not given the list would show them all.
 */
export function hideSecrets(secrets: Iterable<string>): void {
  for (const secret of secrets) {
    const isGuessed = secret.length < GUESSED_LENGTH || EVERYDAY.has(secret.toLowerCase());
    if (!isGuessed) known.add(secret);
  }
  redactKnown = redactorOf(known);
  longOnes = [];
}

/**
 * Hides the secrets of this process, and what looks like one; see {@linkcode redactorOf}. A refused access is told without
 * Deno's advice, since every text for users passes here.
 */
export function redact(text: string): string {
  return redactKnown(withoutAdvice(text));
}

/** Whether a name from outside holds a secret of this process, and not a short one: any word may be one. */
export function holdsSecret(name: string): boolean {
  if (longOnes.length === 0) longOnes = [...known].filter(isLong).flatMap(spellingsOf);
  return longOnes.some((spelling) => name.search(spelling) >= 0);
}

/**
 * A function that hides these secrets in each of their spellings; passwords in URLs; values of names such as `apiKey=`,
 * `"secret":` or `signature=`; and credentials of an `Authorization` header.
 */
export function redactorOf(secrets: Iterable<string>): (text: string) => string {
  // The longest first, so that no secret is replaced only in part.
  const spellings = [...secrets].sort((a, b) => b.length - a.length).flatMap(spellingsOf);
  // The known secrets first: the patterns may replace only part of one and leave the rest visible.
  return (text) =>
    spellings.reduce((left, spelling) => left.replace(spelling, REDACTED), text)
      .replace(URL_PASSWORD, `$1:${REDACTED}@`)
      .replace(URL_TOKEN, `$1${REDACTED}@`)
      .replace(AUTHORIZATION, `$1${REDACTED}`)
      .replace(ESCAPED_VALUE, `$1${REDACTED}`)
      .replace(QUOTED_VALUE, `$1$2${REDACTED}$3`)
      .replace(ENCODED_PARAMETER, `$1${REDACTED}`)
      .replace(SIGNING_PARAMETER, `$1${REDACTED}`)
      .replace(BARE_PARAMETER, `$1${REDACTED}`)
      .replace(BARE_FIELD, `$1${REDACTED}`);
}

/** The message of an error or of anything else that was thrown: without secrets, and of limited length. */
export function errorText(error: unknown): string {
  return shortText(error instanceof Error ? error.message : textOf(error));
}

/** A text from outside that becomes part of a message: without secrets, and cut after `charactersMax`. */
export function shortText(text: string, charactersMax = ERROR_CHARACTERS_MAX): string {
  const searched = text.slice(0, SEARCHED_CHARACTERS_MAX);
  // Redact first, then cut: half of a secret might remain at the cut.
  const redacted = redact(searched);
  // What was not searched may have left half of a secret before it, so the end is taken off, too.
  const end = searched.length === text.length ? redacted.length : redacted.length - HALF_MAX;
  const kept = Math.max(0, Math.min(end, charactersMax));
  const more = redacted.length - kept + text.length - searched.length;
  return more === 0 ? redacted : `${redacted.slice(0, kept)}… ${more} more characters`;
}

/** The text at most `charactersMax` before and after a place, without secrets, also where one is cut off there. */
export function textAround(text: string, at: number, charactersMax: number): string {
  const first = Math.max(0, at - charactersMax);
  // Redact first, then cut, as above.
  const from = Math.max(0, first - HALF_MAX);
  const to = Math.min(text.length, at + charactersMax + HALF_MAX);
  const redacted = redact(text.slice(from, to));
  const start = first - from;
  const end = to === text.length ? redacted.length : redacted.length - HALF_MAX;
  return redacted.slice(start, Math.max(start, Math.min(end, start + at - first + charactersMax)));
}

/** Whether a property or parameter of this name holds a secret: `apiKey`, `X-MBX-APIKEY`, `password`. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A redacted copy of an error and its causes, each text cut after `charactersMax`. */
export function redactError(
  error: unknown,
  charactersMax = ERROR_CHARACTERS_MAX,
): RedactedError {
  return redactCause(error, (text) => shortText(text, charactersMax), CAUSES_MAX);
}

/** The end of a name that marks a secret. `sign` and the like count only as separate words, so not in `design`. */
const SECRET_WORD =
  "(?:(?:api|access|private|secret|session|ssl)[_-]?key(?:[_-]?id)?|secret|passw(?:or)?d|passphrase" +
  "|pwd|token|signature|authorization|cookie|twofa|(?<![a-z0-9])(?:sign|sig|hmac|jwt|otp))";

const SECRET_NAME = new RegExp(`${SECRET_WORD}$`, "i");

/** A name that ends with such a word. The part before it has a limited length, so that matching stays linear. */
const NAME = `(?<![\\w-])[\\w-]{0,40}?${SECRET_WORD}`;

/** `://user:password@`; the password reaches to the last `@` of the authority. */
const URL_PASSWORD = /(:\/\/[^\s/?#"'<>@:]*):[^\s/?#"'<>]*@/g;

/** `https://token@`: in an HTTP URL, a user name without a password is a token. */
const URL_TOKEN = /(\bhttps?:\/\/)[^\s/?#"'<>@:]+@/gi;

/** A credential without its header name. At least 16 characters, so ordinary words do not match. */
const AUTHORIZATION = /(\b(?:basic|bearer)\s+)[\w.~+/=-]{16,}/gi;

/** `"apiKey":"…"` or `apiKey = '…'`, to the closing quote, or to the end of the text if it was cut. */
const QUOTED_VALUE = new RegExp(
  `(${NAME}["']?\\s*[:=]\\s*)(["'])(?:\\\\.|(?!\\2)[^\\n])*(\\2|)`,
  "gi",
);

/** The same inside a JSON string: `\"apiKey\":\"…\"`. */
const ESCAPED_VALUE = new RegExp(
  `(${NAME}\\\\"\\s*:\\s*\\\\")(?:\\\\\\\\(?:\\\\[\\\\"]|[^\\\\])|[^\\\\\\n])*`,
  "gi",
);

/** `apiKey=…`, to the end of the parameter. */
const BARE_PARAMETER = new RegExp(`(${NAME}\\s*=\\s*)[^\\s&"'<>;]+`, "gi");

/** `X-MBX-APIKEY: …` or `"password": 12345`, to the end of the word. */
const BARE_FIELD = new RegExp(
  `(${NAME}["']?\\s*:\\s*(?:(?:basic|bearer)\\s+)?)[^\\s&"'<>,;(){}[\\]\\\\]+`,
  "gi",
);

/** `apiKey%3D…` of a URL that is a parameter of another, to the end of the inner parameter. */
const ENCODED_PARAMETER = new RegExp(
  `(${NAME}%(?:25)*3D)(?:(?!%(?:25)*26)[^\\s&"'<>;])+`,
  "gi",
);

/** Names that sign only as parameters of a URL: elsewhere they are ordinary words. */
const SIGNING_PARAMETER = /([?&](?:key|auth|credential)=)[^\s&"'<>;]+/gi;

function redactCause(
  error: unknown,
  hide: (text: string) => string,
  causesLeft: number,
): RedactedError {
  if (!(error instanceof Error)) {
    return { name: "NotAnError", message: hide(textOf(error)) };
  }
  const { kind, code } = error as { kind?: unknown; code?: unknown };
  // A connection refused at several addresses is an AggregateError without a message. Use its first error.
  const cause = error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined);
  return {
    name: hide(String(error.name)),
    message: hide(String(error.message)),
    ...(typeof kind === "string" && { kind: hide(kind) }),
    ...(typeof code === "string" && { code: hide(code) }),
    ...(typeof error.stack === "string" && { stack: hide(framesOf(error.stack)) }),
    ...(cause !== undefined && causesLeft > 0 &&
      { cause: redactCause(cause, hide, causesLeft - 1) }),
  };
}

/** Only the end is looked at, because the beginning repeats the message, which may be of any length. */
function framesOf(stack: string): string {
  return stack.slice(-SEARCHED_CHARACTERS_MAX).split("\n").filter((line) => /^\s+at /.test(line))
    .join("\n");
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // The value is circular, or its toJSON throws.
    return Object.prototype.toString.call(value);
  }
}

/** Hides secrets in logs, errors and messages about the configuration. @module */
import { withoutAdvice } from "./refused_access.ts";

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

/** The fields of `Config` that may contain secrets. Declared here, because `lib/text/` imports nothing. */
interface ConfigSecrets {
  readonly databaseUrl?: string | undefined;
  readonly alertWebhookUrl?: string | undefined;
  readonly exchangeProxyUrl?: string | undefined;
  readonly httpToken?: string | undefined;
  readonly exchangeOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** Longer chains of causes are cut: they may be endless. */
const CAUSES_MAX = 8;

/** Real options nest only a few levels. */
const OPTIONS_DEPTH_MAX = 8;

/** Shorter secrets are hidden only as whole words. Otherwise parts of ordinary words would be hidden. */
const SECRET_LENGTH_PLAIN = 8;

/**
 * Hides passwords in URLs, values of names such as `apiKey=`, `"secret":` or `signature=`, credentials of an
 * `Authorization` header, and the given secrets: plain, percent-encoded and JSON-escaped. A refused access is told without
 * Deno's advice, since every text for users passes here.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  // The given secrets first: the patterns below may replace only part of one and leave the rest visible.
  return redactLiterals(withoutAdvice(text), secrets)
    .replace(URL_PASSWORD, `$1:${REDACTED}@`)
    .replace(URL_TOKEN, `$1${REDACTED}@`)
    .replace(AUTHORIZATION, `$1${REDACTED}`)
    .replace(ESCAPED_VALUE, `$1${REDACTED}`)
    .replace(QUOTED_VALUE, `$1$2${REDACTED}$3`)
    .replace(BARE_PARAMETER, `$1${REDACTED}`)
    .replace(BARE_FIELD, `$1${REDACTED}`);
}

/** Whether a property or parameter of this name holds a secret: `apiKey`, `X-MBX-APIKEY`, `password`. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A redacted copy of an error and its causes. */
export function redactError(error: unknown, secrets: readonly string[] = []): RedactedError {
  return redactCause(error, secrets, CAUSES_MAX);
}

/**
 * All secrets of a configuration, for `redact`: passwords in URLs, as written and decoded; credentials of exchanges; the
 * token of our HTTP endpoints; and path and query of the webhook, because anyone who knows them can post to it.
 */
export function secretsOf(config: ConfigSecrets): readonly string[] {
  const { databaseUrl, alertWebhookUrl, exchangeProxyUrl, exchangeOptions, httpToken } = config;
  const secrets = new Set<string>();
  if (httpToken !== undefined) secrets.add(httpToken);
  for (const url of [databaseUrl, alertWebhookUrl, exchangeProxyUrl]) {
    if (url !== undefined) collectFromUrl(url, secrets);
  }
  if (alertWebhookUrl !== undefined && URL.canParse(alertWebhookUrl)) {
    const { pathname, search } = new URL(alertWebhookUrl);
    secrets.add(pathname === "/" ? search : pathname + search);
  }
  collectFromOptions(exchangeOptions, secrets, { isSecret: false, depth: OPTIONS_DEPTH_MAX });
  secrets.delete("");
  return [...secrets];
}

/** The end of a name that marks a secret. `sign` counts only as a separate word, so not in `design`. */
const SECRET_WORD =
  "(?:(?:api|access|private|secret|session)[_-]?key|secret|passw(?:or)?d|passphrase" +
  "|pwd|token|signature|authorization|twofa|(?<![a-z0-9])sign)";

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

/** Replaces every spelling of every secret. Longest first, so that no secret is replaced only in part. */
function redactLiterals(text: string, secrets: readonly string[]): string {
  const spellings = new Set<string>();
  for (const secret of secrets) {
    spellings.add(secret).add(encodeURIComponent(secret.toWellFormed()));
    spellings.add(JSON.stringify(secret).slice(1, -1));
  }
  spellings.delete("");
  let result = text;
  for (const spelling of [...spellings].sort((a, b) => b.length - a.length)) {
    if (!result.includes(spelling)) continue;
    if (spelling.length >= SECRET_LENGTH_PLAIN) {
      result = result.replaceAll(spelling, REDACTED);
    } else {
      const alone = `(?<![\\p{L}\\p{N}])${RegExp.escape(spelling)}(?![\\p{L}\\p{N}])`;
      result = result.replace(new RegExp(alone, "gu"), REDACTED);
    }
  }
  return result;
}

function redactCause(
  error: unknown,
  secrets: readonly string[],
  causesLeft: number,
): RedactedError {
  if (!(error instanceof Error)) {
    return { name: "NotAnError", message: redact(textOf(error), secrets) };
  }
  const { kind, code } = error as { kind?: unknown; code?: unknown };
  // A connection refused at several addresses is an AggregateError without a message. Use its first error.
  const cause = error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined);
  return {
    name: redact(String(error.name), secrets),
    message: redact(String(error.message), secrets),
    ...(typeof kind === "string" && { kind: redact(kind, secrets) }),
    ...(typeof code === "string" && { code: redact(code, secrets) }),
    ...(typeof error.stack === "string" && { stack: framesOf(redact(error.stack, secrets)) }),
    ...(cause !== undefined && causesLeft > 0 &&
      { cause: redactCause(cause, secrets, causesLeft - 1) }),
  };
}

function framesOf(stack: string): string {
  return stack.split("\n").filter((line) => /^\s+at /.test(line)).join("\n");
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

function collectFromUrl(text: string, secrets: Set<string>): void {
  // Read the password from the text, too: `URL` cannot parse a Postgres URL with several hosts.
  const password = /:\/\/[^\s/?#@:]*:([^\s/?#]*)@/.exec(text)?.[1];
  if (password !== undefined) addDecoded(password, secrets);
  for (const [, name, value] of text.matchAll(/[?&]([^\s=&#]+)=([^\s&#]*)/g)) {
    if (isSecretName(name!)) addDecoded(value!, secrets);
  }
  if (!URL.canParse(text)) return;
  const url = new URL(text);
  if (/^https?:$/.test(url.protocol) && url.password === "") addDecoded(url.username, secrets);
}

function addDecoded(text: string, secrets: Set<string>): void {
  secrets.add(text);
  try {
    secrets.add(decodeURIComponent(text));
  } catch {
    // Invalid percent-encoding: the text itself was added above.
  }
}

function collectFromOptions(
  value: unknown,
  secrets: Set<string>,
  { isSecret, depth }: { readonly isSecret: boolean; readonly depth: number },
): void {
  if (typeof value === "string") {
    // Without the scheme of a header: the credential may appear without it.
    if (isSecret) addDecoded(value.replace(/^(?:basic|bearer)\s+/i, ""), secrets);
    else collectFromUrl(value, secrets);
  } else if (typeof value === "number" && isSecret) {
    secrets.add(String(value));
  } else if (typeof value === "object" && value !== null && depth > 0) {
    for (const [name, inner] of Object.entries(value)) {
      collectFromOptions(inner, secrets, {
        isSecret: isSecret || isSecretName(name),
        depth: depth - 1,
      });
    }
  }
}

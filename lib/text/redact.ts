/** Hides secrets in text that is about to be seen: logs, errors, problems of the configuration. @module */

/** What stands where a secret was. */
export const REDACTED = "***";

/** An error as a log may show it: its texts without secrets, its chain of causes of bounded length. */
export interface RedactedError {
  readonly name: string;
  readonly message: string;
  /** The class an own error was given at the edge, such as `transient`. */
  readonly kind?: string;
  /** A system's or a database's code, such as `ECONNREFUSED` or `57P01`. */
  readonly code?: string;
  /** Without its first lines, which repeat name and message. */
  readonly stack?: string;
  readonly cause?: RedactedError;
}

/** The fields of `Config` that may hold secrets; structural, so that neither file needs the other. */
interface SecretBearer {
  readonly databaseUrl?: string | undefined;
  readonly alertWebhookUrl?: string | undefined;
  readonly exchangeProxyUrl?: string | undefined;
  readonly httpToken?: string | undefined;
  readonly exchangeOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** Longer chains are cut: they come from a loop or from nobody's reading. */
const CAUSES_MAX = 8;

/** Options nest a few levels; deeper is no configuration of ours. */
const OPTIONS_DEPTH_MAX = 8;

/** Secrets shorter than this are hidden only where they stand alone, or ordinary words would vanish. */
const SECRET_LENGTH_PLAIN = 8;

/**
 * Hides the passwords of URLs, the values of `apiKey=`, `"secret":`, `signature=` and their like, the
 * credentials of an `Authorization` header, and each of the given secrets in every spelling in which it
 * may turn up: as it is, percent-encoded, and escaped as in JSON.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  // The literals come first: the patterns below may cut one in two and leave half of it standing.
  return redactLiterals(text, secrets)
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

/** The texts of an error and of its causes, redacted. The error itself stays as it is. */
export function redactError(error: unknown, secrets: readonly string[] = []): RedactedError {
  return redactCause(error, secrets, CAUSES_MAX);
}

/**
 * Every secret a configuration holds, for `redact`: passwords of its URLs, as written and decoded; the
 * credentials given to exchanges; path and query of the webhook, which are the whole of its protection; the token of
 * our own HTTP endpoints.
 */
export function secretsOf(config: SecretBearer): readonly string[] {
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

/** The end of a name that marks a secret. `sign` counts only as a word of its own: `design` is none. */
const SECRET_WORD =
  "(?:(?:api|access|private|secret|session)[_-]?key|secret|passw(?:or)?d|passphrase" +
  "|pwd|token|signature|authorization|twofa|(?<![a-z0-9])sign)";

const SECRET_NAME = new RegExp(`${SECRET_WORD}$`, "i");

/** A name and what leads to its value. What may stand before the word is bounded, to stay linear. */
const NAME = `(?<![\\w-])[\\w-]{0,40}?${SECRET_WORD}`;

/** `://user:password@`; the password reaches to the last `@` of the authority. */
const URL_PASSWORD = /(:\/\/[^\s/?#"'<>@:]*):[^\s/?#"'<>]*@/g;

/** `https://token@`: over HTTP a name without a password is itself the credential. */
const URL_TOKEN = /(\bhttps?:\/\/)[^\s/?#"'<>@:]+@/gi;

/** A header's credential apart from its header; so long a word is no prose. */
const AUTHORIZATION = /(\b(?:basic|bearer)\s+)[\w.~+/=-]{16,}/gi;

/** `"apiKey":"…"` or `apiKey = '…'`, to the closing quote or, in a text cut short, to the end of it. */
const QUOTED_VALUE = new RegExp(
  `(${NAME}["']?\\s*[:=]\\s*)(["'])(?:\\\\.|(?!\\2)[^\\n])*(\\2|)`,
  "gi",
);

/** The same in a JSON text that is itself a JSON string: `\"apiKey\":\"…\"`. */
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

/** Replaces every spelling of every secret, longest first, lest one secret hide only part of another. */
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
  // A connection refused at several addresses has no text of its own; the first address tells enough.
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
    // Circular, or with a toJSON that throws.
    return Object.prototype.toString.call(value);
  }
}

function collectFromUrl(text: string, secrets: Set<string>): void {
  // Credentials are read from the text too: a list of hosts is a Postgres URL but no URL to the platform.
  const password = /:\/\/[^\s/?#@:]*:([^\s/?#]*)@/.exec(text)?.[1];
  if (password !== undefined) addDecoded(password, secrets);
  if (!URL.canParse(text)) return;
  const url = new URL(text);
  if (/^https?:$/.test(url.protocol) && url.password === "") addDecoded(url.username, secrets);
  for (const [name, value] of url.searchParams) {
    if (isSecretName(name)) addDecoded(value, secrets);
  }
}

function addDecoded(text: string, secrets: Set<string>): void {
  secrets.add(text);
  try {
    secrets.add(decodeURIComponent(text));
  } catch {
    // A stray percent sign: then the text is what was meant.
  }
}

function collectFromOptions(
  value: unknown,
  secrets: Set<string>,
  { isSecret, depth }: { readonly isSecret: boolean; readonly depth: number },
): void {
  if (typeof value === "string") {
    // The scheme of a header is no secret, and may be missing where the credential turns up.
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

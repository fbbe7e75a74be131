/** Finds every secret among the settings, so that it can be hidden wherever it is repeated. @module */
import { isSecretName } from "../text/redact.ts";
import { S3_ENDPOINTS, S3_SECRETS } from "./s3_settings.ts";
import type { SettingTexts } from "./variable.ts";
import { SETTINGS } from "./variables.ts";

/** psql's variable for what DATABASE_URL leaves out. */
export const PASSWORD_VARIABLE = "PGPASSWORD";

/** Variables whose whole value is the secret. */
const WHOLE: ReadonlySet<string> = new Set([
  SETTINGS.httpToken.name,
  PASSWORD_VARIABLE,
  ...S3_SECRETS,
]);

const EXCHANGE = SETTINGS.exchangeOptions.name.replace("<ID>", "");

/** Variables that hold a URL with credentials, those of Deno's own proxies among them. */
const URLS: ReadonlySet<string> = new Set([
  SETTINGS.databaseUrl.name,
  SETTINGS.exchangeProxyUrl.name,
  // These have no place for credentials: where one stands all the same, it is not shown.
  SETTINGS.datasetUrl.name,
  ...S3_ENDPOINTS,
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
]);

/** Real options nest only a few levels. */
const OPTIONS_DEPTH_MAX = 8;

/** Options of an exchange that identify an account, although their names do not say so. */
const ACCOUNT_OPTIONS: ReadonlySet<string> = new Set([
  "uid",
  "login",
  "accountId",
  "walletAddress",
]);

/** Headers that say who asks for what, in which form. Their values are secrets only where they look like keys. */
const PUBLIC_HEADER =
  /^(?:accept(?:-[a-z]+)?|cache-control|connection|content-[a-z]+|dnt|host|origin|pragma|referer|user-agent|via)$/i;

/**
 * A value, or part of one, that HTTP itself defines: the type of a document, a language, an encoding, a directive, a small
 * number. Whatever header it is in, hiding it protects nothing, and would hide it in every message.
 */
const WORD_OF_HTTP = new RegExp(
  "^(?:(?:application|audio|image|multipart|text|\\*)/[a-z.+*-]{1,40}|\\*|[a-z]{2}(?:-[a-z]{2})?|charset|utf-8|q|v" +
    "|gzip|deflate|br|zstd|identity|close|keep-alive|no-cache|no-store|max-age|no-transform|xmlhttprequest|true|false" +
    "|\\d{1,2}(?:\\.\\d{1,2})?)$",
  "i",
);

/**
 * All secrets in the texts of settings: passwords and tokens in URLs, as written and decoded; credentials and headers of
 * exchanges; the token of our HTTP endpoints; the keys of a bucket; and what the webhook's URL consists of, because whoever knows it can post
 * there. Also of settings that are not valid.
 */
export function secretsOf(texts: SettingTexts): readonly string[] {
  const secrets = new Set<string>();
  for (const [name, text = ""] of Object.entries(texts)) {
    if (WHOLE.has(name)) secrets.add(text.trim());
    else if (name === SETTINGS.alertWebhookUrl.name) collectFromWebhook(text, secrets);
    else if (URLS.has(name)) collectFromUrl(text, secrets);
    else if (name.startsWith(EXCHANGE)) {
      collectFromOptions(optionsOf(text), secrets, { id: name.slice(EXCHANGE.length) });
    }
  }
  secrets.delete("");
  return [...secrets];
}

/** @returns undefined when the text is not JSON: then it is not used. */
function optionsOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function collectFromUrl(text: string, secrets: Set<string>): void {
  // Read the password from the text, too: `URL` cannot parse a Postgres URL with several hosts.
  const [, user = "", password, database = ""] =
    /:\/\/([^\s/?#@:]*):([^\s/?#]*)@(?:[^\s/?#]*\/([^\s/?#]*))?/.exec(text) ?? [];
  if (password !== undefined) {
    // A password that is a name beside it is guessed first of all, and that name is in our own messages.
    const isGuessed = [user, database].some((name) => decoded(name) === decoded(password));
    if (!isGuessed) addDecoded(password, secrets);
    // As a header carries them.
    if (password !== "") addDecoded(`${user}:${password}`, secrets);
  }
  for (const [, name, value] of text.matchAll(/[?&]([^\s=&#]+)=([^\s&#]*)/g)) {
    if (isSecretName(name!)) addDecoded(value!, secrets);
  }
  if (!URL.canParse(text)) return;
  const url = new URL(text);
  if (!/^(?:https?|socks5h?):$/.test(url.protocol)) return;
  if (url.password === "" || isLikeKey(url.username)) addDecoded(url.username, secrets);
  for (const part of url.pathname.split("/")) if (isLikeKey(part)) addDecoded(part, secrets);
  for (const value of url.searchParams.values()) if (isLikeKey(value)) secrets.add(value);
}

function collectFromWebhook(text: string, secrets: Set<string>): void {
  collectFromUrl(text, secrets);
  if (!URL.canParse(text)) return;
  const { pathname, search } = new URL(text);
  addDecoded(pathname === "/" ? search : pathname + search, secrets);
  // Telegram: /bot<token>/sendMessage.
  const bot = /\/bot(\d+:[^/]+)/.exec(decoded(pathname))?.[1];
  if (bot !== undefined) secrets.add(bot).add(bot.slice(bot.indexOf(":") + 1));
}

/** Whether a part of a text may be a key, as of Slack and Discord, and not a word: long, or with digits. */
export function isLikeKey(part: string): boolean {
  return !/[:/]/.test(part) && (part.length >= 20 || (part.length >= 8 && /\d/.test(part)));
}

function collectFromOptions(
  value: unknown,
  secrets: Set<string>,
  { id, isSecret = false, depth = OPTIONS_DEPTH_MAX }: {
    readonly id: string;
    readonly isSecret?: boolean;
    readonly depth?: number;
  },
): void {
  if (typeof value === "string") {
    // Without the scheme of a header: the credential may appear without it.
    if (isSecret) {
      addDecoded(value.replace(/^(?:basic|bearer)\s+/i, ""), secrets);
      for (const part of partsOf(value)) if (isLikeKey(part)) secrets.add(part);
    } else collectFromUrl(value, secrets);
  } else if (typeof value === "number" && isSecret) {
    secrets.add(String(value));
  } else if (typeof value === "object" && value !== null && depth > 0) {
    for (const [name, inner] of Object.entries(value)) {
      if (name === "headers") collectFromHeaders(inner, secrets, { id });
      else {
        collectFromOptions(inner, secrets, {
          id,
          isSecret: isSecret || isSecretName(name) || ACCOUNT_OPTIONS.has(name),
          depth: depth - 1,
        });
      }
    }
  }
}

/** Every value is a secret, but for what says nothing: words of HTTP, the exchange's own name, who asks from where. */
function collectFromHeaders(
  headers: unknown,
  secrets: Set<string>,
  { id }: { readonly id: string },
): void {
  if (typeof headers !== "object" || headers === null) {
    return collectFromOptions(headers, secrets, { id, isSecret: true });
  }
  for (const [name, value] of Object.entries(headers)) {
    const isPlain = typeof value === "string" && !isSecretName(name) &&
      (value.toLowerCase() === id.toLowerCase() || saysNothing(name, value));
    if (isPlain) collectFromUrl(value, secrets);
    else collectFromOptions(value, secrets, { id, isSecret: true });
  }
}

function saysNothing(name: string, value: string): boolean {
  const parts = partsOf(value);
  if (parts.length === 0) return false;
  if (parts.every((part) => part === "" || WORD_OF_HTTP.test(part))) return true;
  return PUBLIC_HEADER.test(name) && !parts.some((part) => isLikeKey(part) || isSecretName(part));
}

/** The parts of a header's value that a server may repeat: the credential of a scheme, one cookie of several. */
function partsOf(value: string): readonly string[] {
  return value.includes("\n") ? [] : value.split(/[\s;,="]+/);
}

function addDecoded(text: string, secrets: Set<string>): void {
  secrets.add(text).add(decoded(text));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Invalid percent-encoding: the text itself is what is meant.
    return text;
  }
}

/** Says what a server of objects refuses and what to do, and whether asking again may help. @module */
import type { S3Address, S3Settings } from "../config/s3_settings.ts";
import { retryAfterMs } from "../exchange/classify.ts";
import { printable } from "../text/printable.ts";
import { shortText } from "../text/redact.ts";
import { firstText } from "./s3_document.ts";

/** What was asked of which bucket. */
interface S3Subject {
  readonly address: S3Address;
  readonly settings: S3Settings;
  /** Such as `write`. */
  readonly action: string;
  /** For people, `s3://bucket/key`. */
  readonly name: string;
}

/** An answer that is not what was asked for. */
interface S3Refused {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** The server refused, or could not be reached. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  /** Whether asking again may help. */
  readonly isPassing: boolean;
  /** How long the server asks to wait. Milliseconds. */
  readonly waitMs: number | undefined;

  constructor(
    { action, name }: Pick<S3Subject, "action" | "name">,
    reason: string,
    { isPassing, waitMs, cause }: {
      readonly isPassing: boolean;
      readonly waitMs?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(`Cannot ${action} ${name}: ${reason}`, { cause });
    this.isPassing = isPassing;
    this.waitMs = waitMs;
  }
}

/** More of the server's own words is not shown. */
const SHOWN_CHARACTERS_MAX = 200;

/** The code of a refusal, `NoSuchKey`; empty where the answer has none, as that to HEAD. */
export function codeOf({ body }: Pick<S3Refused, "body">): string {
  const code = firstText(body, "Code") ?? "";
  return /^[A-Za-z0-9.]{1,80}$/.test(code) ? code : "";
}

/** Codes of refusals that are over soon, with whatever status they come. */
const PASSING = new Set([
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  "RequestTimeout",
  "InternalError",
  "ServiceUnavailable",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
  "OperationAborted",
  "ConditionalRequestConflict",
  // What arrived is not what was sent.
  "BadDigest",
  "XAmzContentSHA256Mismatch",
  "IncompleteBody",
]);

/** The servers that know nothing of a request do not learn it by being asked again. */
const UNKNOWN = new Set([501, 505]);

/** What went wrong, for people. */
export function refusal(
  subject: S3Subject,
  refused: S3Refused,
  nowMs: number,
): S3Error {
  const { status, headers } = refused;
  const code = codeOf(refused);
  const isPassing = PASSING.has(code) || status === 429 || status === 408 ||
    (status >= 500 && !UNKNOWN.has(status) && !FULL.test(code));
  const untilMs = retryAfterMs(
    { status, retryAfter: headers.get("retry-after") ?? undefined },
    nowMs,
  );
  const waitMs = untilMs === undefined ? undefined : Math.max(0, untilMs - nowMs);
  return new S3Error(subject, reasonOf(subject, refused, { code, nowMs }), { isPassing, waitMs });
}

const FULL = /Quota|StorageFull|InsufficientStorage/i;

/** Codes of credentials that have ended, or are of somebody else. */
const TOKEN = new Set([
  "ExpiredToken",
  "InvalidToken",
  "TokenRefreshRequired",
  "ExpiredTokenException",
]);

/** Codes that a server of another region answers, with different statuses. */
const REGION = new Set([
  "PermanentRedirect",
  "TemporaryRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
  "InvalidRegion",
]);

function reasonOf(
  { address: { bucket }, settings, action }: S3Subject,
  { status, headers, body }: S3Refused,
  { code, nowMs }: { readonly code: string; readonly nowMs: number },
): string {
  const server = settings.endpoint ?? "Amazon S3";
  const isUnsaid = code === "" && (status === 400 || status === 401 || status === 403);
  if (code === "RequestTimeTooSkewed" || (isUnsaid && isSkewed(headers, nowMs))) {
    return skewText(headers, nowMs);
  }
  if (code === "InvalidAccessKeyId") {
    return `${server} does not know this access key. Check AWS_ACCESS_KEY_ID, and that the key is of this server`;
  }
  if (code === "SignatureDoesNotMatch") {
    return "the signature is not right. Check AWS_SECRET_ACCESS_KEY, and AWS_REGION";
  }
  if (TOKEN.has(code)) return `the session has expired or is not valid. ${NEW_SESSION}`;
  if (code === "NoSuchBucket" || code === "InvalidBucketName") {
    return `there is no bucket ${bucket} at ${server}. Make it, or name another one`;
  }
  const elsewhere = headers.get("x-amz-bucket-region");
  const isElsewhere = status === 400 && elsewhere !== null && elsewhere !== settings.region;
  if (REGION.has(code) || isElsewhere || (status >= 300 && status < 400)) {
    return regionText(settings, headers, { code, status, body });
  }
  if (FULL.test(code) || status === 507) {
    return `there is no room left at ${server}. Make some, or raise the quota`;
  }
  // An answer to HEAD has no code.
  if (isUnsaid && settings.sessionToken !== undefined) {
    return `access is denied (${status}). The session may have expired. ${NEW_SESSION}`;
  }
  if (status === 401 || status === 403) {
    return `access is denied${
      code === "" ? "" : ` (${code})`
    }. The access key must be allowed to ` +
      `${action} it: a dataset needs s3:GetObject, s3:PutObject, s3:DeleteObject, ` +
      "s3:AbortMultipartUpload and s3:ListBucket";
  }
  return answerText(server, { status, headers, body }, code);
}

const NEW_SESSION = "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew";

/** Servers take requests of a clock that is off by 15 minutes. */
const SKEW_MS_MAX = 15 * 60_000;

function isSkewed(headers: Headers, nowMs: number): boolean {
  return Math.abs(nowMs - Date.parse(headers.get("date") ?? "")) > SKEW_MS_MAX;
}

function regionText(
  { endpoint = "Amazon S3", region: asked }: S3Settings,
  headers: Headers,
  { code, status, body }: { readonly code: string; readonly status: number; readonly body: string },
): string {
  const region = headers.get("x-amz-bucket-region") ?? firstText(body, "Region") ?? "";
  if (/^[a-z0-9-]{2,40}$/.test(region)) {
    return `the bucket is in the region ${region}. Set AWS_REGION=${region}`;
  }
  if (REGION.has(code)) {
    return `the bucket is not in the region ${asked}. Set AWS_REGION to the bucket's`;
  }
  return `${endpoint} sends this request to another address (${status}), and credentials are only sent ` +
    "to the one that is set. Check AWS_ENDPOINT_URL_S3";
}

function skewText(headers: Headers, nowMs: number): string {
  const dateMs = Date.parse(headers.get("date") ?? "");
  const aheadMs = nowMs - dateMs;
  const by = Number.isNaN(aheadMs)
    ? "differs too much from"
    : `is ${Math.round(Math.abs(aheadMs) / 60_000)} min ${aheadMs > 0 ? "ahead of" : "behind"}`;
  return `this machine's clock ${by} the server's. Set it, as NTP does`;
}

/** What the server says itself, where it is no page for people. */
function answerText(server: string, { status, headers, body }: S3Refused, code: string): string {
  const said = code === "" ? "" : firstText(body, "Message") ?? "";
  const words = said === "" ? "" : `: "${printable(shortText(said, SHOWN_CHARACTERS_MAX))}"`;
  if (code === "" && /html/.test(headers.get("content-type") ?? "")) {
    return `${server} answered ${status} with a web page, which is not S3's. Check AWS_ENDPOINT_URL_S3, ` +
      "and that no proxy stands between";
  }
  return `${server} answered ${status}${code === "" ? "" : ` ${code}`}${words}`;
}

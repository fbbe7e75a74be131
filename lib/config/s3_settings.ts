/** The variables of Amazon's own tools for S3, by which a bucket is reached. @module */
import type { SettingTexts } from "./variable.ts";

/** How objects are reached. What is undefined is not set. */
export interface S3Settings {
  readonly accessKeyId: string | undefined;
  readonly secretAccessKey: string | undefined;
  /** Of temporary credentials. */
  readonly sessionToken: string | undefined;
  readonly region: string | undefined;
  /** The URL of a server that is not Amazon's. */
  readonly endpoint: string | undefined;
}

/** A bucket, and what the names of the objects in it begin with. */
export interface S3Address {
  readonly bucket: string;
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string;
}

/** What is not set, or wrong. */
interface S3Problem {
  readonly variable: string;
  /** What is allowed and what to do, without secrets. */
  readonly allowed: string;
}

/** Credentials, each of which can be in a file: `AWS_SECRET_ACCESS_KEY_FILE`. */
export const S3_SECRETS = [
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
] as const;

const [KEY_ID, KEY, TOKEN] = S3_SECRETS;

/** The first one that is set counts, as with Amazon's tools. */
const REGIONS = ["AWS_REGION", "AWS_DEFAULT_REGION"] as const;
export const S3_ENDPOINTS = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] as const;

/** Not all of them are checked here: without a bucket they may be meant for another program. */
export function readS3Settings(texts: SettingTexts): S3Settings {
  const first = (names: readonly string[]): string | undefined =>
    names.map((name) => texts[name]).find((text) => text !== undefined);
  return {
    accessKeyId: texts[KEY_ID],
    secretAccessKey: texts[KEY],
    sessionToken: texts[TOKEN],
    region: first(REGIONS),
    endpoint: first(S3_ENDPOINTS),
  };
}

/** What keeps a bucket from being used. */
export function s3Problems(settings: S3Settings): readonly S3Problem[] {
  const { accessKeyId, secretAccessKey, region, endpoint } = settings;
  const problems: S3Problem[] = [];
  const isToken = (text: string): boolean => /^[\x21-\x7e]{1,4096}$/.test(text);
  for (
    const [variable, text, what] of [
      [KEY_ID, accessKeyId, "the id of an access key"],
      [KEY, secretAccessKey, "the secret of the access key"],
    ] as const
  ) {
    if (text === undefined) {
      const allowed = `${what}, or ${variable}_FILE to name a file with it: a bucket is not ` +
        "written without credentials";
      problems.push({ variable, allowed });
    } else if (!isToken(text)) problems.push({ variable, allowed: `${what}, without spaces` });
  }
  if (settings.sessionToken !== undefined && !isToken(settings.sessionToken)) {
    problems.push({ variable: TOKEN, allowed: "a session token, without spaces" });
  }
  if (region === undefined || !/^[a-z0-9-]{2,40}$/.test(region)) {
    const allowed = "the region of the bucket, such as eu-central-1; for a server of your own " +
      "what it is set to, us-east-1 for MinIO and auto for Cloudflare R2";
    problems.push({ variable: REGIONS[0], allowed });
  }
  if (endpoint !== undefined && !isEndpoint(endpoint)) {
    const allowed = "the URL of an S3 server, https://host or http://host:port, without user, " +
      "password and query";
    problems.push({ variable: S3_ENDPOINTS[0], allowed });
  }
  return problems;
}

function isEndpoint(text: string): boolean {
  if (!/^https?:\/\/[^\s\p{C}?#@]+$/u.test(text) || !URL.canParse(text)) return false;
  return new URL(text).username === "";
}

const SCHEME = "s3://";

/** Whether a text is meant as a bucket. */
export function isS3Url(text: string): boolean {
  return text.toLowerCase().startsWith(SCHEME);
}

/** Reads `s3://bucket/prefix`; undefined for what is none. */
export function readS3Url(text: string): S3Address | undefined {
  const [, bucket = "", path = ""] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(text) ?? [];
  if (!BUCKET.test(bucket) || bucket.includes("..")) return undefined;
  const prefix = path.replace(/\/$/, "");
  if (prefix === "") return path === "" ? { bucket, prefix } : undefined;
  const parts = prefix.split("/");
  const isPath = parts.every((part) => part !== "" && part !== "." && part !== "..");
  return isPath && PREFIX.test(prefix) ? { bucket, prefix } : undefined;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** The names of objects have 1,024 bytes, and those of a dataset need some of them. */
const PREFIX = /^[^\p{C}\p{Z}?#%\\]{1,500}$/u;

/** What may stand in the place of a wrong one. */
export const S3_URL_ALLOWED =
  "s3://bucket/prefix, the bucket in 3 to 63 small letters, digits, dots and dashes";

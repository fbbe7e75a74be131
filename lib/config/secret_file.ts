/** Reads settings from files that other settings name, as Docker and systemd hand secrets out. @module */
import { printable } from "../text/printable.ts";
import { redact, REDACTED } from "../text/redact.ts";
import { withoutAdvice } from "../text/refused_access.ts";
import type { ConfigProblem, SecretFiles } from "./config.ts";
import { S3_SECRETS } from "./s3_settings.ts";
import { PASSWORD_VARIABLE } from "./secrets.ts";
import { FILE_ENDING, fileVariable, type SettingTexts, type Variable } from "./variable.ts";
import { SETTINGS, VARIABLES } from "./variables.ts";

/** Far more than any key takes. */
const FILE_BYTES_MAX = 64 * 1024;

/** Each variable that may be in a file, `EXCHANGE_<ID>` by what its name begins with. */
const SECRETS: ReadonlySet<string> = new Set([
  PASSWORD_VARIABLE,
  ...S3_SECRETS,
  ...VARIABLES.filter(({ secret }: Variable) => secret === true).map(({ name }) => name),
]);

const EXCHANGE = SETTINGS.exchangeOptions.name.replace("<ID>", "");

/**
 * Reads the files that `DATABASE_URL_FILE`, `EXCHANGE_<ID>_FILE` and the like name. A final line break is no part of the
 * secret. The problem of a file that cannot be read never shows what it holds.
 *
 * @param given what environment and `.env` say.
 * @param options.beaten variables that a flag sets: their files are not read.
 */
export async function readSecretFiles(
  given: SettingTexts,
  { beaten = [] }: { readonly beaten?: readonly string[] } = {},
): Promise<SecretFiles> {
  const texts: Record<string, string> = {};
  const paths: string[] = [];
  const problems: ConfigProblem[] = [];
  for (const [variable, path] of Object.entries(given)) {
    const name = variable.slice(0, -FILE_ENDING.length);
    if (path === undefined || variable !== fileVariable(name)) continue;
    if (!SECRETS.has(name) && !name.startsWith(EXCHANGE)) continue;
    if (beaten.includes(name)) continue;
    if (given[name] !== undefined) {
      const allowed = `one of ${name} and ${variable}, not both: unset one of them`;
      problems.push({ variable: name, value: REDACTED, allowed });
      continue;
    }
    try {
      texts[name] = await readSecret(path);
      paths.push(path);
    } catch (error) {
      const allowed = `the path of a file that holds ${name}; ${reasonOf(error)}`;
      problems.push({ variable, value: shownPath(path), allowed });
    }
  }
  return { texts, paths, problems };
}

/** What files hold for the names that a file of settings refers to. */
export interface ReferencedFiles extends Pick<SecretFiles, "texts" | "paths"> {
  /** What is to be set right, by the names that have no text for it. */
  readonly faults: ReadonlyMap<string, string>;
}

/** Reads the files that `KRAKEN_KEY_FILE` and the like name, for each `${KRAKEN_KEY}` in `text`. */
export async function readReferencedFiles(
  text: string,
  given: SettingTexts,
): Promise<ReferencedFiles> {
  const texts: Record<string, string> = {};
  const paths: string[] = [];
  const faults = new Map<string, string>();
  const names = new Set([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name!));
  for (const name of names) {
    const variable = fileVariable(name);
    const path = given[variable];
    // Of our own variables the files are read already.
    if (path === undefined || SECRETS.has(name) || name.startsWith(EXCHANGE)) continue;
    if (given[name] !== undefined) {
      faults.set(name, `one of ${name} and ${variable} to be set, not both`);
      continue;
    }
    try {
      texts[name] = await readSecret(path);
      paths.push(path);
    } catch (error) {
      const named = `${variable}="${printable(shownPath(path))}"`;
      faults.set(name, `${named} to name a file that holds ${name}; ${reasonOf(error)}`);
    }
  }
  return { texts, paths, faults };
}

/** @throws Error with what is wrong with the file. */
async function readSecret(path: string): Promise<string> {
  const { isFile, isDirectory, size } = await Deno.stat(path);
  if (!isFile) throw new Error(isDirectory ? "it is a directory" : "it is not a file");
  if (size > FILE_BYTES_MAX) throw new Error(`it is larger than ${FILE_BYTES_MAX / 1024} KiB`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof TypeError) throw new Error("it is not text in UTF-8");
    throw error;
  }
  const secret = text.replace(/\r?\n$/, "");
  if (secret.trim() === "") throw new Error("it is empty");
  return secret;
}

/** Without the path, which the system's errors repeat. */
function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is none";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  if (!(error instanceof Error)) return "it cannot be read";
  return withoutAdvice(error.message).replace(/: \w+ '[^]*$/, "");
}

/** A secret that was given in the place of a path must not be shown. */
function shownPath(path: string): string {
  return /^\.{0,2}\/[^/:@?]+\//.test(path) ? redact(path) : REDACTED;
}

/** The files of the page at `/`, and the security headers. @module */
import { extname } from "node:path";

/** A file of the page. */
export interface PageFile {
  /** Its URL path, `/page/page.js`. */
  readonly path: string;
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const FOLDER = new URL("./page/", import.meta.url);

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The self-contained build in the package. The package's main module is not in the executable. */
const CHARTS = "./dist/lightweight-charts.standalone.production.mjs";

/**
 * Sent with every response. The page may load only its own files and endpoints, and must not contain inline scripts or
 * styles. Other responses may load nothing. Neither may be shown in a frame.
 */
export function securityHeaders(isPage: boolean): Readonly<Record<string, string>> {
  const sources = isPage
    ? "script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    : "";
  return {
    "content-security-policy":
      `default-src 'none'; ${sources}frame-ancestors 'none'; require-trusted-types-for 'script'`,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
  };
}

/** Reads all files of the page, `/` first. */
export async function readPage(): Promise<readonly PageFile[]> {
  const files = [await readPageFile("/", new URL("index.html", FOLDER))];
  for await (const { name } of Deno.readDir(FOLDER)) {
    if (name === "index.html" || CONTENT_TYPES[extname(name)] === undefined) continue;
    const url = name === "lightweight-charts.js"
      ? new URL(CHARTS, import.meta.resolve("lightweight-charts/package.json"))
      : new URL(name, FOLDER);
    files.push(await readPageFile(`/page/${name}`, url));
  }
  return files;
}

async function readPageFile(path: string, url: URL): Promise<PageFile> {
  return {
    path,
    contentType: CONTENT_TYPES[extname(url.pathname)] ?? "",
    bytes: await Deno.readFile(url),
  };
}

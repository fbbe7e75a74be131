/** The page at `/`: its files, read once, and what a browser may do with them. @module */
import { extname } from "node:path";

/** A file as a browser gets it. */
export interface PageFile {
  /** Where it is asked for, `/page/page.js`. */
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

/** In its package, whose main module the executable leaves out: this one holds it all. */
const CHARTS = "./dist/lightweight-charts.standalone.production.mjs";

/**
 * Sent with every answer. Of the page: nothing but its own files and endpoints, no script or style in the HTML, in
 * nobody's frame. What is not the page loads nothing at all.
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

/** Reads the page's files, `/` first. */
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

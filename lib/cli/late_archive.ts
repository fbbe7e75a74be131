/** An archive that is opened when it is first needed: for files that are all refused, none is made. @module */
import { type Ground, prepareDatabase } from "../daemon/open_archive.ts";
import type { Database } from "../store/connection/database.ts";
import { withArchive } from "./with_archive.ts";

interface Opened {
  readonly database: Database;
  readonly hasTimescaledb: boolean;
}

export class LateArchive {
  readonly #ground: Ground;
  readonly #ended = Promise.withResolvers<void>();
  #opened: Promise<Opened> | undefined;
  #held: Promise<void> | undefined;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Opens it, and brings its schema up to date, the first time. @throws StoreError */
  open(): Promise<Opened> {
    this.#opened ??= new Promise((resolve, reject) => {
      this.#held = withArchive(this.#ground, {
        here: async (database) => {
          const { timescaledb } = await prepareDatabase(database, this.#ground);
          resolve({ database, hasTimescaledb: timescaledb !== null });
          await this.#ended.promise;
        },
      });
      this.#held.catch(reject);
    });
    return this.#opened;
  }

  /** The open archive; undefined if it was never opened, or could not be. */
  async opened(): Promise<Opened | undefined> {
    return await this.#opened?.catch(() => undefined);
  }

  /** Closes it. What went wrong when it was opened was told to those who opened it. */
  async close(): Promise<void> {
    this.#ended.resolve();
    if (await this.opened() !== undefined) await this.#held;
    else await this.#held?.catch(() => {});
  }
}

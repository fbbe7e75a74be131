/** What becomes of data directories that are none, are damaged, or are open to others. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { holdDataDir } from "../../lib/store/connection/data_dir.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";

function open(dataDir: string): Promise<Database> {
  return openDatabase({ url: undefined, dataDir, poolMax: 1, clock: systemClock });
}

async function modeOf(path: string): Promise<string> {
  return ((await Deno.stat(path)).mode! & 0o777).toString(8);
}

interface BadDirectory {
  readonly name: string;
  /** Spoils the new directory, and says what to open. */
  readonly spoil: (path: string) => Promise<string>;
  readonly says: RegExp;
}

const BAD: readonly BadDirectory[] = [
  {
    name: "a file: refused, with what to set",
    spoil: async (path) => {
      await Deno.writeTextFile(join(path, "file"), "");
      return join(path, "file");
    },
    says: /file exists.*Set DATA_DIR to a directory that can be written$/i,
  },
  {
    name: "a path below a file: refused, with what to set",
    spoil: async (path) => {
      await Deno.writeTextFile(join(path, "file"), "");
      return join(path, "file", "data");
    },
    says: /not a directory.*Set DATA_DIR to a directory that can be written$/i,
  },
  {
    name: "a place where nobody can write: refused, with what to set",
    spoil: () => Promise.resolve("/proc/titan10-data"),
    says: /Set DATA_DIR to a directory that can be written$/,
  },
  {
    name: "a lock that is a directory: refused, with what to set",
    spoil: async (path) => {
      await Deno.mkdir(join(path, "titan10.lock"));
      return path;
    },
    says: /titan10\.lock.*Set DATA_DIR/,
  },
  {
    name: "a database of another PostgreSQL: refused, with both versions",
    spoil: async (path) => {
      await Deno.mkdir(join(path, "pgdata"));
      await Deno.writeTextFile(join(path, "pgdata", "PG_VERSION"), "99\n");
      return path;
    },
    says: /it is PostgreSQL 99's, and this program brings PostgreSQL 17\. Set DATA_DIR to another/,
  },
  {
    name: "a version that moves the cursor: refused, harmless to a terminal",
    spoil: async (path) => {
      await Deno.mkdir(join(path, "pgdata"));
      await Deno.writeTextFile(join(path, "pgdata", "PG_VERSION"), "\x1b[2J");
      return path;
    },
    says: /PostgreSQL \\x1b\[2J's/,
  },
  {
    name: "files of somebody else where the database would be: refused, left as they are",
    spoil: async (path) => {
      await Deno.mkdir(join(path, "pgdata"));
      await Deno.writeTextFile(join(path, "pgdata", "holiday.jpg"), "");
      return path;
    },
    says: /it is not one, and holds holiday\.jpg\. Set DATA_DIR to another directory$/,
  },
  {
    name: "a file where the database would be: refused",
    spoil: async (path) => {
      await Deno.writeTextFile(join(path, "pgdata"), "");
      return path;
    },
    says: /it is a file\. Set DATA_DIR to another directory$/,
  },
  {
    name: "a database whose files are cut short: refused, with what can be done",
    spoil: async (path) => {
      await (await open(path)).close();
      await Deno.truncate(join(path, "pgdata", "global", "pg_control"), 10);
      return path;
    },
    says: /its server did not start .* damaged: restore them from a backup\. Set DATA_DIR/,
  },
];

for (const { name, spoil, says } of BAD) {
  Deno.test(`DATA_DIR is ${name}`, async () => {
    const path = await Deno.makeTempDir({ prefix: "titan10-test-" });
    try {
      const dataDir = await spoil(path);
      await assert.rejects(open(dataDir), (error) => {
        assert(error instanceof StoreError, String(error));
        assert.equal(error.kind, "refused");
        assert.match(error.message, says);
        return true;
      });
    } finally {
      await Deno.remove(path, { recursive: true });
    }
  });
}

Deno.test("DATA_DIR is one whose making was killed: the database is made anew", async () => {
  const path = await Deno.makeTempDir({ prefix: "titan10-test-" });
  try {
    // What a kill leaves behind: the directory is held, and some of the files are there.
    const held = await holdDataDir(path, systemClock);
    await Deno.mkdir(join(held.databasePath, "base"), { recursive: true });
    await Deno.writeTextFile(join(held.databasePath, "PG_VERSION"), "17\n");
    held.release();
    const database = await open(path);
    await database.sql`create table kept (a int)`;
    await database.close();
    const again = await open(path);
    assert.equal((await again.sql`select from kept`).length, 0, "what is made is not made anew");
    await again.close();
    assert.equal((await Deno.readTextFile(join(path, "pgdata", "PG_VERSION"))).trim(), "17");
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("DATA_DIR is open to everybody: its mode stays, and what is made in it is shut", async () => {
  const path = await Deno.makeTempDir({ prefix: "titan10-test-" });
  try {
    await Deno.chmod(path, 0o777);
    const database = await open(path);
    await database.close();
    assert.equal(await modeOf(path), "777");
    assert.equal(await modeOf(join(path, "pgdata")), "700");
    assert.equal(await modeOf(join(path, "titan10.lock")), "600");
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("DATA_DIR is not there: it is made, and shut to others", async () => {
  const path = await Deno.makeTempDir({ prefix: "titan10-test-" });
  try {
    const held = await holdDataDir(join(path, "a", "b"), systemClock);
    held.release();
    assert.equal(await modeOf(held.path), "700");
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

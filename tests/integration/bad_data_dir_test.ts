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
    name: "writable by others: refused, with the command and another way",
    spoil: async (path) => {
      await Deno.chmod(path, 0o770);
      return path;
    },
    says: /other users can write to it \(mode 0770\)\. Run chmod go-w .*, or set DATA_DIR to a new/,
  },
  {
    name: "writable by others, and has a space and a quote in its name: the command is one word",
    spoil: async (path) => {
      const dataDir = join(path, "my user's data");
      await Deno.mkdir(dataDir);
      await Deno.chmod(dataDir, 0o775);
      return dataDir;
    },
    says: /Run chmod go-w '\/[^ ]+\/my user'\\''s data', or set DATA_DIR to/,
  },
  {
    name: "writable by others, and holds an archive: refused, and no way begins an empty one",
    spoil: async (path) => {
      await Deno.mkdir(join(path, "pgdata"), { mode: 0o700 });
      await Deno.writeTextFile(join(path, "pgdata", "PG_VERSION"), "17\n");
      await Deno.chmod(path, 0o775);
      return path;
    },
    says:
      /go-w (\S+), or move its archive by mkdir -m 700 \1\/titan10 && mv \1\/pgdata \1\/titan10, and set DATA_DIR to \1\/titan10;/,
  },
  {
    name: "writable by everybody, named by a path with a slash at the end: refused",
    spoil: async (path) => {
      await Deno.chmod(path, 0o757);
      return `${path}/`;
    },
    says: /other users can write to it \(mode 0757\)/,
  },
  {
    name: "a link: refused, also with a slash at the end",
    spoil: async (path) => {
      await Deno.mkdir(join(path, "real"), { mode: 0o700 });
      await Deno.symlink(join(path, "real"), join(path, "link"));
      return `${join(path, "link")}/`;
    },
    says: /it is a link\. Set DATA_DIR to the directory that it leads to$/,
  },
  {
    name: "a link that leads nowhere: refused, and nothing is made where it leads",
    spoil: async (path) => {
      await Deno.symlink(join(path, "nowhere"), join(path, "link"));
      return join(path, "link");
    },
    says: /it is a link\. Set DATA_DIR to the directory that it leads to$/,
  },
  ...["titan10.lock", "run", "run/titan10.sock", "pgdata", "pgdata.unfinished"].flatMap((place) =>
    ["elsewhere", "nowhere"].map((target): BadDirectory => ({
      name: `one with a link in the place of ${place}, to ${target}: refused`,
      spoil: async (path) => {
        const [dataDir, elsewhere] = [join(path, "data"), join(path, "elsewhere")];
        await Deno.mkdir(join(dataDir, place, ".."), { recursive: true, mode: 0o700 });
        await Deno.writeTextFile(elsewhere, "kept");
        await Deno.symlink(join(path, target), join(dataDir, place));
        return dataDir;
      },
      says: new RegExp(
        `${place.replace(".", "[.]")} in it is a link\\. Replace it by what it leads to$`,
      ),
    }))
  ),
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
    says:
      /it is PostgreSQL 99's, and this program contains PostgreSQL 17\. Set DATA_DIR to another/,
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
    says:
      /it is not an embedded database, and contains holiday\.jpg\. Set DATA_DIR to another directory$/,
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
      await assertUntouched(path);
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

/** What links lead to is as it was: nothing was made there, and nothing written. */
async function assertUntouched(path: string): Promise<void> {
  await assert.rejects(Deno.lstat(join(path, "nowhere")), Deno.errors.NotFound);
  const text = await Deno.readTextFile(join(path, "elsewhere")).catch(() => "kept");
  assert.equal(text, "kept");
}

Deno.test("DATA_DIR is one that others can read: its mode stays, and what is made in it is shut at once", async () => {
  const path = await Deno.makeTempDir({ prefix: "titan10-test-" });
  try {
    await Deno.chmod(path, 0o755);
    const database = await open(path);
    await database.close();
    assert.equal(await modeOf(path), "755");
    assert.equal(await modeOf(join(path, "pgdata")), "700");
    assert.equal(await modeOf(join(path, "titan10.lock")), "600");
    // Before its server starts: what fails here is the start, and the directory is shut by then.
    await Deno.chmod(join(path, "pgdata"), 0o755);
    await Deno.truncate(join(path, "pgdata", "global", "pg_control"), 10);
    await assert.rejects(open(path), /its server did not start/);
    assert.equal(await modeOf(join(path, "pgdata")), "700");
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test({
  name: "DATA_DIR, or a place in it, is another user's: refused, with what can be done",
  // Only root can give a file away.
  ignore: Deno.uid() !== 0,
  fn: async () => {
    const path = await Deno.makeTempDir({ prefix: "titan10-test-" });
    try {
      await Deno.mkdir(join(path, "pgdata"), { mode: 0o700 });
      await Deno.chown(join(path, "pgdata"), 12_345, 0);
      await assert.rejects(
        open(path),
        new RegExp(
          ": pgdata in it belongs to user 12345, and this program runs as user 0. Run the command as that user, " +
            `sudo -u '#12345' titan10 … --data-dir ${path}, or, .* chown -R 0 `,
        ),
      );
      await Deno.chown(path, 12_345, 0);
      const foreign =
        ": it belongs to user 12345, .* Run the command as that user, .*, or, .* chown";
      await assert.rejects(open(path), new RegExp(`${foreign} -R 0 [^ ]+$`));
      await Deno.chown(join(path, "pgdata"), 0, 0);
      await assert.rejects(open(path), new RegExp(`${foreign} .*, or move its archive by mkdir`));
      await Deno.remove(join(path, "pgdata"));
      await assert.rejects(open(path), new RegExp(`${foreign} .*, or set DATA_DIR to a new`));
    } finally {
      await Deno.remove(path, { recursive: true });
    }
  },
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

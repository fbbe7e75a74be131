/** Replaces the text of a file at once: who reads it meanwhile has the old text or the new one. @module */
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";

/**
 * Replaces the text, which must be `before` still. The file keeps its mode and its owner, and a link to it stays one.
 *
 * @throws Error when that cannot be done; the file is as it was then.
 */
export async function replaceText(
  path: string,
  { before, after }: { readonly before: string; readonly after: string },
): Promise<void> {
  try {
    // Beside the file itself, not beside a link to it: only there it can take the file's place.
    await replaceReal(await Deno.realPath(path), { before, after });
  } catch (error) {
    throw new Error(
      `Cannot change ${printable(path)}: ${errorText(error)}. It is unchanged`,
      { cause: error },
    );
  }
}

async function replaceReal(
  path: string,
  { before, after }: { readonly before: string; readonly after: string },
): Promise<void> {
  const { mode, uid, gid } = await Deno.stat(path);
  const made = `${path}.${crypto.randomUUID()}.new`;
  try {
    const file = await Deno.open(made, { write: true, createNew: true, mode: 0o600 });
    try {
      const bytes = new TextEncoder().encode(after);
      for (let written = 0; written < bytes.length;) {
        written += await file.write(bytes.subarray(written));
      }
      await file.syncData();
    } finally {
      file.close();
    }
    const own = await Deno.stat(made);
    if (uid !== own.uid || gid !== own.gid) await Deno.chown(made, uid, gid);
    if (mode !== null) await Deno.chmod(made, mode & 0o777);
    if (new TextDecoder().decode(await Deno.readFile(path)) !== before) {
      throw new Error("another program has changed it meanwhile. Run the command again");
    }
    await Deno.rename(made, path);
  } catch (error) {
    await Deno.remove(made).catch(() => {});
    throw error;
  }
}

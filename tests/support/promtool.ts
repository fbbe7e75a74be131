/** Prometheus' own judge of rules and configurations, where it is installed. @module */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What promtool makes of this, run at the root of the project; undefined where it is not installed. */
export async function promtool(
  ...args: readonly string[]
): Promise<{ readonly success: boolean; readonly text: string } | undefined> {
  try {
    const command = new Deno.Command("promtool", { args: [...args], cwd: ROOT });
    const { success, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

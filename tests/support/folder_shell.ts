/** Runs commands in a directory of their own, in a process of theirs: tests that run side by side have one directory together. @module */
import { createInterface } from "node:readline";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type CommandResult, runInProcess } from "./shell.ts";

export interface FolderShell {
  /** As `runInProcess`. One command after the other. */
  run(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<CommandResult>;
  close(): Promise<void>;
}

const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const PERMISSIONS = ["net", "env", "read", "write", "run", "sys"].map((name) => `--allow-${name}`);

export function openFolderShell(folder: string): FolderShell {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--frozen", "--no-remote", "--deny-import", "--config", CONFIG],
      ...PERMISSIONS,
      import.meta.filename!,
    ],
    cwd: folder,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const asks = child.stdin.getWriter();
  const answers = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  return {
    async run(args, env = {}): Promise<CommandResult> {
      await asks.write(new TextEncoder().encode(`${JSON.stringify([args, env])}\n`));
      let answer = "";
      while (!answer.endsWith("\n")) {
        const { value, done } = await answers.read();
        if (done) {
          throw new Error(`Cannot run ${args.join(" ")} in ${folder}: its process has ended`);
        }
        answer += value;
      }
      return JSON.parse(answer);
    },
    async close(): Promise<void> {
      await asks.close();
      await answers.cancel();
      await child.status;
    },
  };
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [args, env] = JSON.parse(line);
    console.log(JSON.stringify(await runInProcess(args, env)));
  }
}

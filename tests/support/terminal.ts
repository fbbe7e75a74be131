/** The program at a terminal: a pseudo-terminal by `script` (util-linux), with keys and a screen of a known size. @module */
import { commandLine, FAKED_TIME } from "./program.ts";

/** Whether this machine has the tools. */
export async function hasTerminal(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("script", { args: ["--version"], stdout: "null" })
      .output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

export interface AtTerminal {
  /** Everything that was shown so far, escape sequences included. */
  readonly shown: () => string;
  /** Resolves when what was shown after `from` characters matches; rejects when the program ends first. */
  waitFor(pattern: RegExp, from?: number): Promise<void>;
  /** Types, `\x03` for Ctrl-C. */
  press(keys: string): Promise<void>;
  /** Ends it at once, where it has not ended. */
  kill(): void;
  /** The exit code. */
  readonly ended: Promise<number>;
}

/** Starts `titan10` at a terminal of 80 columns and 24 rows. */
export function startAtTerminal(
  args: readonly string[],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): AtTerminal {
  const words = [...commandLine(), ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  const child = new Deno.Command("script", {
    args: ["-qefc", `stty cols 80 rows 24; ${words.join(" ")}`, "/dev/null"],
    cwd,
    env: { TERM: "xterm-256color", SHELL: "/bin/sh", ...inherited(), ...env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const keys = child.stdin.getWriter();
  let shown = "";
  const waiting = new Set<() => void>();
  const drained = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      shown += text;
      for (const look of waiting) look();
    }
  })();
  const ended = child.status.then(async ({ code }) => {
    await drained;
    await keys.close().catch(() => {});
    return code;
  });
  return {
    shown: () => shown,
    press: (text) => keys.write(new TextEncoder().encode(text)),
    ended,
    kill: () => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself meanwhile.
      }
    },
    waitFor: (pattern, from = 0) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(shown.slice(from))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        ended.then(() => {
          look();
          reject(new Error(`ended before ${pattern}:\n${JSON.stringify(shown)}`));
        });
      }),
  };
}

function inherited(): Record<string, string> {
  const names = ["PATH", "HOME", "DENO_DIR", "TMPDIR", ...FAKED_TIME];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** The completion scripts, read by the shells they are for. @module */
import assert from "node:assert/strict";
import { runInProcess } from "../support/shell.ts";

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout, stderr } = await runInProcess(["completions", shell]);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** What a shell prints of a program of its own; undefined where it is not installed. */
async function runShell(shell: string, program: string): Promise<string | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(shell, {
      args: shell === "bash" ? ["--norc", "-c", program] : ["-c", program],
      env: { PATH: Deno.env.get("PATH") ?? "", HOME: "/nonexistent", TERM: "dumb" },
      clearEnv: true,
    }).output();
    const decoder = new TextDecoder();
    assert(success, decoder.decode(stderr));
    assert.equal(decoder.decode(stderr), "");
    return decoder.decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Words of a command line, the last of them to be completed, and some that must be offered or must not. */
const CASES: readonly {
  readonly line: string;
  readonly offers: readonly string[];
  readonly not?: readonly string[];
}[] = [
  { line: "titan10 st", offers: ["status"], not: ["run", "backfill"] },
  { line: "titan10 ", offers: ["run", "backfill", "status", "doctor", "demo", "completions"] },
  { line: "titan10 status --w", offers: ["--watch"], not: ["--json", "--repair"] },
  { line: "titan10 gaps --", offers: ["--repair", "--json", "--exchanges"], not: ["--watch"] },
  { line: "titan10 completions ", offers: ["bash", "zsh", "fish"] },
  { line: "titan10 run --log-level ", offers: ["info", "warning"], not: ["--json"] },
  { line: "titan10 run --exchanges krak", offers: ["kraken"], not: ["binance"] },
];

async function bash(line: string): Promise<readonly string[]> {
  const words = line.split(" ");
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const program = `${await scriptFor("bash")}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
_titan10; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = await runShell("bash", program);
  assert(printed !== undefined, "bash is needed for this test");
  return printed.trim().split("\n");
}

Deno.test("bash completes commands, flags and values", async () => {
  for (const { line, offers, not = [] } of CASES) {
    const offered = await bash(line);
    for (const word of offers) assert(offered.includes(word), `${line}: no ${word} of ${offered}`);
    for (const word of not) assert(!offered.includes(word), `${line}: ${word} of ${offered}`);
  }
});

Deno.test("bash completes behind a comma, and a value that nobody knows not at all", async () => {
  const exchanges = await bash("titan10 run --exchanges okx,krak");
  assert.deepEqual(exchanges, ["okx,kraken", "okx,krakenfutures"]);
  const timeframes = await bash("titan10 run --timeframes 1m,1");
  const expected = ["1s", "1m", "15m", "1h", "12h", "1d", "1w", "1M"].map((text) => `1m,${text}`);
  assert.deepEqual(timeframes, expected);
  assert.deepEqual(await bash("titan10 run --symbols "), [""]);
});

Deno.test("fish completes commands, flags and values, where it is installed", async () => {
  const script = await scriptFor("fish");
  for (const { line, offers, not = [] } of CASES) {
    const printed = await runShell("fish", `${script}\ncomplete -C '${line}'`);
    if (printed === undefined) return;
    const offered = printed.split("\n").map((text) => text.split("\t")[0]);
    for (const word of offers) assert(offered.includes(word), `${line}: no ${word} of ${offered}`);
    for (const word of not) assert(!offered.includes(word), `${line}: ${word} of ${offered}`);
  }
});

Deno.test("zsh reads the script and its specifications, where it is installed", async () => {
  const script = await scriptFor("zsh");
  // Completion itself needs a terminal; a specification that cannot be read fails without one, too.
  const printed = await runShell(
    "zsh",
    `autoload -Uz compinit && compinit -D\n${script}\nprint -r -- $_comps[titan10]`,
  );
  if (printed === undefined) return;
  assert.equal(printed.trim(), "_titan10");
});

/** The command line: argv → command → exit code. @module */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { ConfigError } from "../config.ts";
import { redact } from "../redact.ts";
import { VERSION } from "../version.ts";
import { backfill } from "./backfill.ts";
import { demo } from "./demo.ts";
import { doctor } from "./doctor.ts";
import { addExport } from "./export.ts";
import { gaps } from "./gaps.ts";
import { healthcheck } from "./healthcheck.ts";
import { migrate } from "./migrate.ts";
import { plan } from "./plan.ts";
import { addQuery } from "./query.ts";
import { run } from "./run.ts";
import { addSettingFlags, type Flags } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { status } from "./status.ts";

type Action = (shell: Shell, flags: Flags) => Promise<ExitCode>;

interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly action: Action;
  readonly hasJson: boolean;
}

const COMMANDS: readonly CommandSpec[] = [
  {
    name: "run",
    summary: "Poll, backfill and serve until stopped: the daemon",
    action: run,
    hasJson: false,
  },
  {
    name: "backfill",
    summary: "Ask for everything that is owed, once",
    action: backfill,
    hasJson: true,
  },
  {
    name: "gaps",
    summary: "List holes inside coverage, each with its state or reason",
    action: gaps,
    hasJson: true,
  },
  {
    name: "plan",
    summary: "Say what a backfill would ask for, and what is impossible",
    action: plan,
    hasJson: true,
  },
  {
    name: "status",
    summary: "Say what the archive holds and lacks",
    action: status,
    hasJson: true,
  },
  {
    name: "doctor",
    summary: "Check database and exchanges, and say what mends what is wrong",
    action: doctor,
    hasJson: true,
  },
  {
    name: "migrate",
    summary: "Bring the database's schema up to date",
    action: migrate,
    hasJson: true,
  },
  {
    name: "healthcheck",
    summary: "Ask the daemon of this machine how it is",
    action: healthcheck,
    hasJson: true,
  },
];

/** Runs the command that the arguments name. Never throws: what went wrong is told in a sentence. */
export async function runCommand(shell: Shell): Promise<ExitCode> {
  let exit: ExitCode = EXIT.done;
  const program = new Command("titan10")
    .description(
      "Keeps a complete and explained archive of candles from many exchanges in TimescaleDB.",
    )
    .version(VERSION, "-V, --version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => shell.print(text.trimEnd()),
      writeErr: (text) => shell.tell(text.trimEnd()),
      getOutHelpWidth: () => shell.columns,
      getErrHelpWidth: () => shell.columns,
    })
    .action(() => program.outputHelp());
  for (const { name, summary, action, hasJson } of COMMANDS) {
    const command = new Command(name).description(summary).copyInheritedSettings(program);
    if (hasJson) command.option("--json", "print JSON");
    if (name === "gaps") command.option("--repair", "ask for the gaps that are due first");
    if (name === "status") {
      command.option("--watch", "draw it anew every 2 s until Ctrl-C");
      command.option("--storage", "also say what the candle tables take");
    }
    addSettingFlags(command).action(async (flags: unknown) => {
      exit = await action(shell, flags as Flags);
    });
    program.addCommand(command);
  }
  const end = (code: ExitCode): void => void (exit = code);
  for (const add of [addQuery, addExport]) add(program, shell, end);
  program.command("demo")
    .description("Show all of it with a local exchange, without network")
    .option("--for <seconds>", "end by itself, 30s for example")
    .option("--http-host <value>", "HTTP_HOST")
    .option("--http-port <value>", "HTTP_PORT")
    .action(async (flags) => {
      exit = await demo(shell, flags as Flags);
    });
  try {
    await program.parseAsync([...shell.args], { from: "user" });
    return exit;
  } catch (error) {
    return explain(shell, error);
  }
}

function explain(shell: Shell, error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (shell.signal.aborted) return EXIT.failed;
  const message = error instanceof Error ? error.message : String(error);
  shell.tell(redact(message));
  return error instanceof ConfigError ? EXIT.usage : EXIT.failed;
}

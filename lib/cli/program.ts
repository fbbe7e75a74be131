/** The command line: argv → command → exit code. @module */
import { Argument, Command, CommanderError } from "@commander-js/extra-typings";
import { ConfigError } from "../config/config.ts";
import { secretsOf } from "../config/secrets.ts";
import { hideSecrets, shortText } from "../text/redact.ts";
import { serverRemedy, StoreError } from "../store/connection/store_error.ts";
import { VERSION } from "../version.ts";
import { makeAdd } from "./add.ts";
import { testAlerts } from "./alerts.ts";
import { addRangeFlags } from "./asked_range.ts";
import { examplesOf, FIRST_MINUTE, groupOf, groupRank } from "./command_help.ts";
import { type CompletedCommand, completions, SHELLS } from "./completions.ts";
import { config } from "./config.ts";
import { makeCopy } from "./copy.ts";
import { demo } from "./demo.ts";
import { makeExport } from "./export.ts";
import { acceptBothForms } from "./flag_forms.ts";
import { makeForget } from "./forget.ts";
import { makeImport } from "./import.ts";
import { makeInit } from "./init.ts";
import { makeQuery } from "./query.ts";
import { makeReportCommand } from "./report.ts";
import { addSettingFlags, type Flags, hideSettings } from "./settings.ts";
import { COMMANDS } from "./simple_commands.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { Stopped, stoppedText, Unread } from "./stopped.ts";

/** Enough for all problems of a configuration. */
const TOLD_MAX = 10_000;

/** Runs the command that the arguments name. Never throws: errors are printed as a sentence. */
export async function runCommand(shell: Shell): Promise<ExitCode> {
  // Before anything is read: an argument may be a secret in the wrong place, and an error may repeat it.
  hideSecrets(secretsOf(shell.env));
  let exit: ExitCode = EXIT.done;
  const program = makeProgram(shell, async (run) => {
    exit = await run();
  });
  let command = "";
  program.hook("preAction", (_, asked) => {
    command = asked.name();
  });
  const tellStop = (isBroken: boolean): void => {
    const text = stoppedText(command, { signal: shell.signal, isBroken });
    if (text !== undefined) shell.tell(text);
  };
  try {
    const { args, isShort } = helpAsked(shell.args);
    if (isShort) { for (const command of program.commands) hideSettings(command as Command); }
    if (args.length === 0) program.outputHelp();
    else {
      await untilStopped(program.parseAsync([...args], { from: "user" }), shell, () => command);
    }
    tellStop(false);
    return exit;
  } catch (error) {
    if (shell.signal.aborted) {
      if (shell.signal.reason instanceof Unread) return EXIT.done;
      tellStop(true);
      return EXIT.failed;
    }
    return explain(shell, error);
  }
}

/** What a stopped command has to put away what it holds: the embedded database, unfinished files. */
const STOP_MS_MAX = 4_000;

/** The work; but a command that hangs after the signal, as at a server that does not answer, is not waited for. */
async function untilStopped(
  work: Promise<unknown>,
  { signal, clock }: Shell,
  command: () => string,
): Promise<void> {
  const { promise: cutOff, reject } = Promise.withResolvers<never>();
  const ended = new AbortController();
  const onAbort = (): void => {
    // These two have a deadline of their own, and take longer.
    if (!(signal.reason instanceof Stopped) || /^(?:run|demo)$/.test(command())) return;
    clock.sleep(STOP_MS_MAX, { signal: ended.signal }).then(() => reject(signal.reason), () => {});
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, cutOff]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    ended.abort();
  }
}

/** Whether help without the settings is asked for. `--all` belongs to `--help`, and is no option of any command. */
function helpAsked(
  args: readonly string[],
): { readonly args: readonly string[]; readonly isShort: boolean } {
  const isHelp = args[0] === "help" || args.includes("--help") || args.includes("-h");
  if (!isHelp) return { args, isShort: false };
  return { args: args.filter((arg) => arg !== ALL), isShort: !args.includes(ALL) };
}

const ALL = "--all";

function makeProgram(shell: Shell, perform: Perform): Command {
  const program = new Command("titan10")
    .description(
      "Keeps a complete and explained archive of candles from many exchanges in TimescaleDB.",
    )
    .version(VERSION, "-V, --version")
    .addHelpText("after", FIRST_MINUTE)
    .commandsGroup(groupOf("help"))
    .helpCommand(true)
    .helpOption("-h, --help", "display this help; with --all, also all settings")
    .configureHelp({ groupItems: ownFirst })
    .showHelpAfterError("Run titan10 --help to see what is available.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => shell.print(text.trimEnd()),
      // Commander repeats what it does not understand, which may be a secret in a wrong place.
      writeErr: (text) => shell.tell(shortText(text.trimEnd(), TOLD_MAX)),
      getOutHelpWidth: () => shell.columns,
      getErrHelpWidth: () => shell.columns,
    }) as Command;
  const commands: Command[] = [];
  const add = (name: string, summary: string): Command => {
    const command = new Command(name).description(summary).copyInheritedSettings(program);
    command.helpGroup(groupOf(name)).addHelpText("after", examplesOf(name));
    command.showHelpAfterError(`Run titan10 ${name} --help to see what is available.`);
    commands.push(command);
    return command;
  };
  for (const { name, summary, action, hasJson } of COMMANDS) {
    const command = add(name, summary);
    if (hasJson) command.option("--json", "print JSON");
    if (name === "backfill" || name === "plan") addRangeFlags(command);
    if (name === "gaps") command.option("--repair", "first request again the gaps that are due");
    if (name === "events") command.option("--limit <rows>", "how many of the newest", "20");
    if (name === "status") {
      command.option("--watch", "redraw it every 2 s until Ctrl-C");
      command.option("--storage", "also show the disk space of the candle tables");
    }
    addSettingFlags(command).action((flags: unknown) =>
      perform(() => action(shell, flags as Flags))
    );
  }
  makeInit(add("init", "Write a first titan10.yaml"), shell, perform);
  makeAdd(add("add", "Add symbols to the archive"), shell, perform);
  makeForget(add("forget", "Stop archiving symbols, or delete their candles, too"), shell, perform);
  makeQuery(
    add("query", "Query the database with SQL, read-only"),
    shell,
    perform,
  );
  makeExport(add("export", "Write candles as CSV, Parquet or freqtrade's files"), shell, perform);
  makeReportCommand(add("report", "Report how good the archive is, as a page"), shell, perform);
  makeImport(
    add("import", "Import candles from files: CSV, ZIP, Parquet, JSON and more"),
    shell,
    perform,
  );
  makeCopy(add("copy", "Copy the embedded archive to a PostgreSQL server"), shell, perform);
  addOthers(add, shell, perform);
  add("completions", "Print a script that completes commands, flags and values")
    .addArgument(new Argument("<shell>", "the shell to make it for").choices(SHELLS))
    .action((of) => perform(() => completions(shell, { of, commands: completedOf(program) })));
  commands.sort((one, other) => groupRank(one.name()) - groupRank(other.name()));
  for (const command of commands) {
    acceptBothForms(command);
    program.addCommand(command);
  }
  return program;
}

/** The commands that take no part in keeping the archive. */
function addOthers(
  add: (name: string, summary: string) => Command,
  shell: Shell,
  perform: Perform,
): void {
  add("demo", "Try Titan-10 with a local exchange, without network")
    .option("--for <seconds>", "stop after this time, such as 30s")
    .option("--http-host <value>", "HTTP_HOST")
    .option("--http-port <value>", "HTTP_PORT")
    .action((flags: unknown) => perform(() => demo(shell, flags as Flags)));
  addSettingFlags(add("config", "Show which settings are in force and where each comes from"))
    .addArgument(new Argument("[what]", "only check them").choices(["check"] as const))
    .option("--json", "print JSON")
    .option("--schema", "print the JSON Schema of titan10.yaml")
    .action((what, flags) => perform(() => config(shell, flags as Flags, what)));
  addSettingFlags(add("alerts", "Send a test alert to ALERT_WEBHOOK_URL"))
    .addArgument(new Argument("<what>", "send one test alert").choices(["test"] as const))
    .action((_what, flags) => perform(() => testAlerts(shell, flags as Flags)));
}

/** Groups as commander does, but what stands in no group of its own comes first. */
function ownFirst<T>(
  all: readonly T[],
  visible: readonly T[],
  groupOf: (item: T) => string,
): Map<string, T[]> {
  const groups = [...all, ...visible].map(groupOf);
  const [own] = groups.filter((group) => group === "Options:");
  const grouped = new Map<string, T[]>([...own === undefined ? [] : [own], ...groups]
    .map((group) => [group, []]));
  for (const item of visible) grouped.get(groupOf(item))?.push(item);
  return grouped;
}

/** The existing commands and flags, for the completions. */
function completedOf(program: Command): readonly CompletedCommand[] {
  const help = program.createHelp();
  return help.visibleCommands(program).map((command) => ({
    name: command.name(),
    summary: command.description(),
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    flags: [
      ...help.visibleOptions(command).map((option) => ({
        name: option.long ?? option.flags,
        meaning: option.description,
        takesValue: option.required,
      })),
      { name: ALL, meaning: "with --help: also list all settings", takesValue: false },
    ],
  }));
}

function explain(shell: Shell, error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof ConfigError) {
    // Each value was redacted by itself; the names of settings beside them would pass for names of secrets here.
    shell.tell(error.message);
    return EXIT.usage;
  }
  const message = error instanceof Error ? error.message : String(error);
  const remedy = error instanceof StoreError ? serverRemedy(error) : undefined;
  shell.tell(shortText(remedy === undefined ? message : `${message}. ${remedy}`, TOLD_MAX));
  return EXIT.failed;
}

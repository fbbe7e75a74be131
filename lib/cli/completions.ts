/** `titan10 completions`: scripts that complete commands, flags and values in bash, zsh and fish. @module */
import type { Completion } from "../config/variable.ts";
import { VARIABLES } from "../config/variables.ts";
import { exchangeIds } from "../exchange/ccxt.ts";
import { flagOf } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What the completion needs to know about a command. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  /** The words that it accepts besides flags. */
  readonly words: readonly string[];
  readonly flags: readonly CompletedFlag[];
}

interface CompletedFlag {
  /** With its dashes. */
  readonly name: string;
  readonly meaning: string;
  readonly takesValue: boolean;
}

/** The possible values of a flag. Exchanges are converted to a list. */
type Values = Exclude<Completion, { kind: "exchanges" }>;

/** Prints the completion script of one shell, for the commands and flags of this version. */
export async function completions(
  shell: Shell,
  { of, commands }: {
    readonly of: (typeof SHELLS)[number];
    readonly commands: readonly CompletedCommand[];
  },
): Promise<ExitCode> {
  const values = await knownValues();
  const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
  shell.print(scripts[of](commands, values));
  return EXIT.done;
}

async function knownValues(): Promise<ReadonlyMap<string, Values>> {
  const exchanges: Values = { kind: "list", words: await exchangeIds() };
  return new Map(
    VARIABLES.flatMap(({ name, completion }) =>
      completion === undefined
        ? []
        : [[flagOf(name), completion.kind === "exchanges" ? exchanges : completion]]
    ),
  );
}

/** The flags of all commands, without repeated ones. */
function allFlags(commands: readonly CompletedCommand[]): readonly CompletedFlag[] {
  return [...new Map(commands.flatMap(({ flags }) => flags).map((flag) => [flag.name, flag]))
    .values()];
}

/** For bash 3.2 and later, with or without the package bash-completion. */
function bashScript(
  commands: readonly CompletedCommand[],
  values: ReadonlyMap<string, Values>,
): string {
  const ofFlags = [...values].map(([flag, values]) => {
    if (values.kind === "directory") {
      return `    ${flag}) COMPREPLY=($(compgen -d -- "$word")); compopt -o filenames 2>/dev/null; return ;;`;
    }
    const words = values.words.join(" ");
    // Keep the part of the word before its last comma.
    const start = values.kind === "list" ? 'start="${word%"${word##*,}"}"; ' : "";
    return `    ${flag}) ${start}words="${words}"; compopt -o nospace 2>/dev/null ;;`;
  });
  const taking = allFlags(commands).filter(({ takesValue }) => takesValue).map(({ name }) => name);
  return `# bash completion of titan10. Load it with: source <(titan10 completions bash)
_titan10() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" words="" start="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
    -*) ;;
    *) command="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  COMPREPLY=()
  case "$before" in
${ofFlags.join("\n")}
    ${taking.filter((name) => !values.has(name)).join("|")}) return ;;
    *)
      case "$command" in
${
    commands.map(({ name, words, flags }) =>
      `      ${name}) words="${[...words, ...flags.map(({ name }) => name)].join(" ")}" ;;`
    ).join("\n")
  }
      "") words="${commands.map(({ name }) => name).join(" ")} --help --version" ;;
      esac ;;
  esac
  for i in $words; do
    [[ "$i" == "\${word#"$start"}"* ]] && COMPREPLY+=("$start$i")
  done
}
complete -F _titan10 titan10`;
}

function zshScript(
  commands: readonly CompletedCommand[],
  values: ReadonlyMap<string, Values>,
): string {
  const specOf = ({ name, meaning, takesValue }: CompletedFlag): string => {
    const spec = `${name}[${zshText(meaning)}]`;
    if (!takesValue) return `'${spec}'`;
    const known = values.get(name);
    if (known === undefined) return `'${spec}:value: '`;
    if (known.kind === "directory") return `'${spec}:directory:_files -/'`;
    const words = known.words.join(" ");
    return known.kind === "list"
      ? `'${spec}:list:_values -s , value ${words}'`
      : `'${spec}:value:(${words})'`;
  };
  const cases = commands.map(({ name, words, flags }) => {
    const specs = flags.map(specOf);
    if (words.length > 0) specs.unshift(`'1:what:(${words.join(" ")})'`);
    return `    ${name}) _arguments -s \\\n      ${specs.join(" \\\n      ")} ;;`;
  });
  return `#compdef titan10
# zsh completion of titan10. Load it with: source <(titan10 completions zsh)
_titan10() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    '${name}:${zshText(summary)}'`).join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join("\n")}
  esac
}
if [[ "\${funcstack[1]}" == _titan10 ]]; then _titan10 "$@"; else compdef _titan10 titan10; fi`;
}

/** Escapes a text for the quotes and brackets of a zsh specification. */
function zshText(text: string): string {
  return text.replace(/[[\]\\:]/g, "\\$&").replaceAll("'", "'\\''");
}

function fishScript(
  commands: readonly CompletedCommand[],
  values: ReadonlyMap<string, Values>,
): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const first = "__fish_use_subcommand";
  const lines = commands.map(({ name, summary }) =>
    `complete -c titan10 -f -n ${first} -a ${name} -d ${quoted(summary)}`
  );
  const argumentsOf = (flag: CompletedFlag): string => {
    if (!flag.takesValue) return "";
    const known = values.get(flag.name);
    if (known === undefined) return " -x";
    if (known.kind === "directory") return " -x -a '(__fish_complete_directories)'";
    const words = known.words.join(" ");
    return known.kind === "list"
      ? ` -x -a '(__fish_append , ${words})'`
      : ` -x -a ${quoted(words)}`;
  };
  for (const { name, words, flags } of commands) {
    const here = `'__fish_seen_subcommand_from ${name}'`;
    if (words.length > 0) {
      lines.push(`complete -c titan10 -f -n ${here} -a ${quoted(words.join(" "))}`);
    }
    for (const flag of flags) {
      const long = flag.name.replace(/^--/, "");
      lines.push(
        `complete -c titan10 -f -n ${here} -l ${long}${argumentsOf(flag)} -d ${
          quoted(flag.meaning)
        }`,
      );
    }
  }
  return [
    "# fish completion of titan10. Load it with: titan10 completions fish | source",
    ...lines,
  ].join("\n");
}

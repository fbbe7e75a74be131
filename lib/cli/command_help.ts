/** The parts of `--help` besides the options: examples, groups of commands, and first steps. @module */

/** Printed below the commands. */
export const FIRST_MINUTE = `
The first minute, without network, server or configuration:
  titan10 demo

Then with exchanges of your choice. Without DATABASE_URL the archive lives in an
embedded TimescaleDB in ./titan10-data:
  titan10 init       write titan10.yaml: what to archive
  titan10 doctor     is everything reachable?
  titan10 plan       what will be fetched, and how long will it take?
  titan10 run        keep the archive, until Ctrl-C
  titan10 status     what is stored, and what is missing?

Other settings are environment variables, lines of .env, or flags of each
command: titan10 run --help --all lists them.`;

/** The headings of the list of commands. A command that is in no group is listed under the last heading. */
const GROUPS: readonly (readonly [heading: string, names: readonly string[]])[] = [
  ["Begin:", ["demo", "init", "config", "doctor", "plan", "alerts"]],
  ["Keep the archive:", [
    ...["run", "reload", "add", "forget"],
    ...["backfill", "gaps", "import", "copy", "migrate"],
  ]],
  ["Look at the archive:", [
    "status",
    "nodes",
    "report",
    "events",
    "healthcheck",
    "query",
    "export",
  ]],
  ["More:", ["completions", "help"]],
];

/** The position of a command's group. Commands are listed in this order. */
export function groupRank(command: string): number {
  return GROUPS.findIndex(([heading]) => heading === groupOf(command));
}

/** The heading under which a command is listed. */
export function groupOf(command: string): string {
  const group = GROUPS.find(([, names]) => names.includes(command)) ?? GROUPS.at(-1)!;
  return group[0];
}

/** What to type, and what it does. */
const EXAMPLES: Readonly<Record<string, readonly (readonly [line: string, what: string])[]>> = {
  run: [
    ["titan10 run", "the daemon, as configured"],
    ["titan10 run --exchanges kraken --symbols BTC/USD", "one market"],
    ["titan10 run --http-host 0.0.0.0", "for others: set HTTP_TOKEN, too"],
  ],
  reload: [
    ["titan10 reload", "after a change of titan10.yaml"],
  ],
  backfill: [
    ["titan10 backfill", "fetch all that is missing"],
    ["titan10 backfill --backfill 1h:2y", "two years of hours"],
    ["titan10 backfill --since 2021-01-01", "another range than BACKFILL"],
    ["titan10 backfill --json | jq .exchanges", "what came, for a program"],
  ],
  gaps: [
    ["titan10 gaps", "every gap and its reason"],
    ["titan10 gaps --repair", "request them again first"],
  ],
  plan: [
    ["titan10 plan", "requests, least time, disk"],
    ["titan10 plan --symbols top:100", "and of a hundred symbols?"],
  ],
  status: [
    ["titan10 status", "what there is and what is wrong"],
    ["titan10 status --watch", "the same, drawn anew every 2 s"],
    ["titan10 status --storage", "bytes of each table"],
    ["titan10 status --json | jq '.series[] | select(.missing > 0)'", "for a program"],
  ],
  events: [
    ["titan10 events", "the newest 20, newest last"],
    ["titan10 events --exchanges kraken --limit 100", "of one exchange"],
    ["titan10 events --json | jq '.events[] | select(.tone == \"trouble\")'", "for a program"],
  ],
  nodes: [
    ["titan10 nodes", "who works on what"],
    ["titan10 nodes --json | jq '.nodes[] | select(.isLeader) | .name'", "the leader"],
  ],
  report: [
    ["titan10 report", "how complete is it, and how sound?"],
    ["titan10 report --html report.html", "a page to print or to send"],
    ["titan10 report --since 2024-01-01 --timeout 10m", "compare more prices"],
  ],
  config: [
    ["titan10 config", "what is in force, and from where"],
    ["titan10 config check --config new.yaml", "can this file be used?"],
    ["titan10 config --schema > titan10.schema.json", "for an editor"],
  ],
  init: [["titan10 init && titan10 run", "an archive of four symbols"]],
  add: [
    ["titan10 add binance:SOL/USDT kraken:SOL/USD", "one more symbol at each"],
    ["titan10 add okx:BTC/USDT --timeframes 1h,1d", "one more exchange"],
    ["titan10 add binance:BTC/USDT:USDT binance:BTC/USDT:USDT@mark", "a perpetual"],
  ],
  forget: [
    ["titan10 forget binance:SOL/USDT", "keep its candles"],
    ["titan10 forget binance:SOL/USDT --delete", "also delete its candles"],
  ],
  doctor: [
    ["titan10 doctor", "check all, also beside a daemon"],
    ["titan10 doctor --exchanges gemini", "would this exchange do?"],
    ["titan10 doctor --json | jq '.checks[] | select(.ok | not)'", "what is wrong"],
  ],
  alerts: [["titan10 alerts test", "does the webhook take alerts?"]],
  migrate: [["titan10 migrate", "before a new version's daemon"]],
  healthcheck: [["titan10 healthcheck || echo ill", "0 when the daemon is well"]],
  query: [
    [`titan10 query "select * from ohlcv where timeframe = '1d' order by time desc"`, "as a table"],
    ["titan10 query --csv - < gaps.sql > gaps.csv", "from a file into one"],
  ],
  export: [
    ["titan10 export -o btc.parquet --symbol BTC/USDT --timeframe 1m", "for pandas"],
    ["titan10 export --exchange kraken --since 2024-01-01 | gzip", "CSV"],
    ["titan10 export --format freqtrade -o user_data/data", "for its backtests"],
  ],
  import: [
    ["titan10 import btc.csv --exchange binance --symbol BTC/USDT --timeframe 1m", "an old file"],
    ["titan10 import data 'more/*.zip' --dry-run", "how many files would be understood"],
  ],
  copy: [
    ["titan10 copy --to postgres://titan10@db/titan10", "to an empty database"],
    ["DATABASE_URL=postgres://titan10:secret@db/titan10 titan10 copy", "with a password"],
  ],
  demo: [
    ["titan10 demo", "until Ctrl-C"],
    ["titan10 demo --for 30s --http-port 0", "half a minute, on any free port"],
  ],
  completions: [
    ["source <(titan10 completions bash)", "in ~/.bashrc"],
    ["source <(titan10 completions zsh)", "in ~/.zshrc, after compinit"],
    ["titan10 completions fish | source", "in ~/.config/fish/config.fish"],
  ],
};

/** The column where the description begins, if the command fits before it. */
const WHAT_COLUMN = 46;

/** The examples of a command, as its help prints them; empty if it has none. */
export function examplesOf(command: string): string {
  const lines = (EXAMPLES[command] ?? []).map(([line, what]) =>
    line.length < WHAT_COLUMN - 2
      ? `  ${line.padEnd(WHAT_COLUMN - 2)}${what}`
      : `  ${line}\n${" ".repeat(WHAT_COLUMN)}${what}`
  );
  return lines.length === 0 ? "" : ["", "Examples:", ...lines].join("\n");
}

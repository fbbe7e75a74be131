/**
 * The documents name what the program has, and nothing else: commands, flags, variables, metrics, endpoints, alerts.
 * What there is comes from the program itself: its help, its registry, its server.
 * @module
 */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { fileVariable, type Variable } from "../../lib/config/variable.ts";
import { VARIABLES } from "../../lib/config/variables.ts";
import { flagOf } from "../../lib/cli/settings.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { ALERTS } from "../../lib/market/alert.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { readPage } from "../../lib/serve/page_files.ts";
import { serveHttp } from "../../lib/serve/http_server.ts";
import type { Answers } from "../../lib/serve/routes.ts";
import { DOCUMENTS, TABLES } from "../support/documents.ts";
import { anchorsOf, codeOf, passagesOf, plain, tablesOf } from "../support/markdown.ts";
import { runInProcess } from "../support/shell.ts";

const ROOT = new URL("../../", import.meta.url);

const read = (path: string): Promise<string> => Deno.readTextFile(new URL(path, ROOT));

/** Where `titan10` is a user, a unit, a database or a container. */
const OTHER_PROGRAMS =
  /\b(?:systemctl|journalctl|adduser|useradd|tar|psql|pg_dump|docker compose (?:start|stop))\b/;

/** Every command by name, with the flags that are its own: no setting, and not what every command has. */
const COMMANDS = await commandsOfProgram();

const SETTING_FLAGS = VARIABLES.map(({ name }) => flagOf(name));

Deno.test("the table of commands has a row for each, and for no other", () => {
  // The project's own tasks have tables of that name, too.
  const rows = tableRows("command").flatMap(([cell = ""]) =>
    /^`titan10 ([\w-]+)/.exec(cell)?.[1] ?? []
  );
  assertSame("command", { said: rows, there: [...COMMANDS.keys()] });
});

Deno.test("each flag of a command is told of beside the command's name", () => {
  const passages = passagesOf(DOCUMENTS.get(TABLES.command)!);
  const missing = [...COMMANDS].flatMap(([command, flags]) =>
    flags.filter((flag) =>
      !passages.some(({ heading, text }) =>
        text.includes(flag) && new RegExp(`\\btitan10 ${command}\\b`).test(`${heading} ${text}`)
      )
    ).map((flag) => `\`${flag}\` of \`titan10 ${command}\``)
  );
  assert.deepEqual(missing, [], `missing in ${TABLES.command}: ${missing.join(", ")}`);
});

Deno.test("what the documents call commands and flags of the program are some", () => {
  for (const [path, text] of DOCUMENTS) {
    for (const code of codeOf(text)) {
      // Not a path, a package, a database or a folder of that name, and not what the program prints.
      const call = /(?:^|[\s/])titan10 (?!titan10)([a-z][\w-]*)(?![\w:/.=-])(.*)/.exec(code);
      if (call === null || OTHER_PROGRAMS.test(code)) continue;
      const [, command = "", others = ""] = call;
      const flags = COMMANDS.get(command);
      assert(flags, `${path} says \`titan10 ${command}\`, which is no command`);
      for (const [flag] of others.split("#")[0]!.matchAll(/(?<=\s)--[a-z-]+/g)) {
        const isKnown = [...flags, ...SETTING_FLAGS, "--json", "--help", "--all"].includes(flag);
        assert(isKnown, `${path} says \`titan10 ${command} ${flag}\`, and there is no such flag`);
      }
    }
  }
});

Deno.test("the table of variables has a row for each with its default and meaning, and for no other", () => {
  assertSame("variable", {
    said: tableRows("variable").map((cells) => cells.map(plain).join(" ")),
    there: VARIABLES.map((variable) =>
      `${variable.name} ${variable.default ?? "unset"} ${variable.meaning}`
    ),
  });
});

Deno.test("what the documents write in capitals is a variable that something reads", async () => {
  const sources = await Promise.all(
    [
      "lib/cli/terminal.ts",
      "lib/config/egress_setting.ts",
      "tests/support/test_database.ts",
      "tests/support/program.ts",
      "tests/e2e/outage_test.ts",
    ]
      .map(read),
  );
  const roles = await read("deploy/timescaledb/10_roles.sh");
  for (const [path, text] of DOCUMENTS) {
    for (
      const name of codeOf(text).flatMap((code) => code.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? [])
    ) {
      const isKnown = VARIABLES.some((variable: Variable) =>
        variable.name === name || (variable.secret === true && fileVariable(variable.name) === name)
      ) ||
        /^(EXCHANGE|DENO|PG|POSTGRES|TITAN10|GF|NPM)_/.test(name) ||
        /^(?:(?:HTTPS|ALL|NO)_PROXY|PGPASSWORD_FILE|AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)(?:_FILE)?|AWS_(?:DEFAULT_)?REGION|AWS_ENDPOINT_URL(?:_S3)?|MALLOC_ARENA_MAX|MALLOC_MMAP_THRESHOLD_?|(?:BINANCE_)?BTC_?USDT(?:_USDT)?)$/
          .test(
            name,
          ) ||
        // What a file of settings refers to is named by its user.
        text.includes(`\${${name.replace(/_FILE$/, "")}}`) ||
        sources.some((source) =>
          source.includes(`"${name}"`)
        ) ||
        roles.includes(`\${${name}:-`);
      assert(isKnown, `${path} names the variable ${name}, which nothing reads`);
    }
  }
});

Deno.test("the table of metrics has a row for each with its type and meaning, and for no other", async () => {
  const text = await createMetrics().text();
  const there = [...text.matchAll(/^# HELP (\w+) (.*)\n# TYPE \1 (\w+)$/gm)].map((
    [, name, help, type],
  ) => `${name} ${type} ${help}`);
  const said = tableRows("metric").map((cells) => cells.map(plain).join(" "));
  assertSame("metric", { said, there });
});

Deno.test("the table of HTTP endpoints has a row for each, and for no other", async () => {
  const answers = { metrics: createMetrics() } as unknown as Answers;
  const server = serveHttp(answers, {
    hostname: "127.0.0.1",
    port: 0,
    log: logger("test"),
    clock: systemClock,
    page: await readPage(),
  });
  try {
    const response = await fetch(`${server.url}/there-is-no-such-path`);
    const { paths } = await response.json();
    assert(Array.isArray(paths) && paths.length > 0);
    const said = tableRows("endpoint").map(([path = ""]) => plain(path).replace(/[?].*$/, ""));
    // What `/` is made of is no endpoint of its own.
    const there = paths.filter((path) => !path.startsWith("/page/"));
    assertSame("endpoint", { said, there });
    for (const [document, text] of DOCUMENTS) {
      for (const [url, path] of text.matchAll(/http:\/\/127\.0\.0\.1:9464(\/\w*)/g)) {
        assert(paths.includes(path), `${document} says ${url}, and the program does not serve it`);
      }
    }
  } finally {
    await server.stop();
  }
});

Deno.test("the table of alerts has a row for each, and for no other", () => {
  assertSame("alert", {
    said: tableRows("alert").map(([name = ""]) => plain(name)),
    there: ALERTS,
  });
});

Deno.test("each message that is explained is one of the program", async () => {
  const sources = (await Promise.all(["lib/", "sql/"].map(sourcesOf)))
    .flatMap((texts) => [...texts.values()]);
  for (const [cell = ""] of tableRows("message")) {
    const parts = plain(cell).split("…").map((part) => part.trim()).filter((part) =>
      part.length > 3
    );
    assert(parts.length > 0, `${TABLES.message} explains ${cell}, which names nothing`);
    // What cannot be done may be named elsewhere than in the message.
    const isThere = sources.some((source) =>
      parts.every((part) => source.includes(part) || source.includes(part.replace(/^Cannot /, "")))
    );
    assert(isThere, `${TABLES.message} explains ${cell}, and no file of the program says it`);
  }
});

/** Mistakes in the program itself, and what is only ever a part of another message. */
const NEVER_ALONE = [
  /^Cannot (?:…|answer again|back off|calculate|give an answer|make a breaker|set a deadline|retry|stream candles)/,
  /^Cannot (?:read (?:JSON|a precision|a time|more than|the page|timeframe)|queue|wait for a turn)/,
  /^Cannot (?:ask …: the list|list|send a request outside|go on with)/,
];

Deno.test("each message of the program that says what cannot be done is explained", async () => {
  const explained = tableRows("message").map(([cell = ""]) => plain(cell))
    .filter((text) => text.startsWith("Cannot"))
    .map((text) =>
      new RegExp(`^${text.split("…").map((part) => RegExp.escape(part.trim())).join(".*")}`)
    );
  const missing: string[] = [];
  let found = 0;
  for (const [path, source] of await sourcesOf("lib/")) {
    if (path.startsWith("lib/local_exchange/")) continue;
    for (const [, text = ""] of source.matchAll(/["`](Cannot (?:\$\{[^}]*\}|[^"`$])+)/g)) {
      const message = text.replaceAll(/\s*\$\{[^}]*\}/g, " …").replaceAll(/\s+/g, " ");
      if (NEVER_ALONE.some((internal) => internal.test(message))) continue;
      found++;
      const start = message.replace(/ …$/, " ");
      const isExplained = explained.some((one) => one.test(message) || one.test(start));
      if (!isExplained) missing.push(`${path}: ${message}`);
    }
  }
  assert(found > 50, `${found}`);
  assert.deepEqual(missing, [], `not explained in ${TABLES.message}: ${missing.join("; ")}`);
});

Deno.test("what the documents link to is there, file and heading, and so is each task that they run", async () => {
  const { tasks } = JSON.parse(await read("deno.json"));
  for (const [path, text] of DOCUMENTS) {
    const links = text.matchAll(/(?:\]\(|src(?:set)?=")(?!https?:)([^)#"]*)(?:#([^)"]*))?[)"]/g);
    for (const [, target = "", anchor] of links) {
      const linked = target === "" ? path : relativeTo(path, target);
      const isThere = await Deno.stat(new URL(linked, ROOT)).catch(() => undefined);
      assert(isThere, `${path} links to ${target}, which is not there`);
      if (anchor === undefined) continue;
      const anchors = anchorsOf(await read(linked));
      assert(anchors.includes(anchor), `${path} links to ${target}#${anchor}: no such heading`);
    }
    for (const [, task = ""] of codeOf(text).join("\n").matchAll(/\btask ([a-z][\w:]*)/g)) {
      assert(task in tasks, `${path} says \`task ${task}\`, which deno.json does not have`);
    }
  }
});

/** Asked of the program as its users ask: there is no other list of what each command takes. */
async function commandsOfProgram(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { stdout } = await runInProcess(["--help"]);
  const commands = new Map<string, readonly string[]>();
  for (const [, name = ""] of stdout.matchAll(/^ {2}([a-z][\w-]*) +[[<A-Z]/gm)) {
    if (name === "help") continue;
    const help = await runInProcess([name, "--help"]);
    assert.equal(help.code, 0, `titan10 ${name} --help: ${help.stderr}`);
    const flags = [...help.stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, flag = ""]) =>
      flag
    );
    assert(flags.includes("--help"), help.stdout);
    const settings = [...VARIABLES.map(({ name }) => flagOf(name)), "--help", "--json"];
    commands.set(name, flags.filter((flag) => !settings.includes(flag)));
  }
  assert(commands.has("run") && commands.get("gaps")?.includes("--repair"), stdout);
  return commands;
}

/** The text of each file below the folder, with texts that are written in parts made whole. */
async function sourcesOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await Array.fromAsync(Deno.readDir(new URL(folder, ROOT)));
  const texts = await Promise.all(entries.map(async ({ name, isDirectory }) => {
    const path = `${folder}${name}`;
    if (isDirectory) return [...await sourcesOf(`${path}/`)];
    return [[path, (await read(path)).replaceAll(/["`] \+\s*["`]/g, "")] as const];
  }));
  return new Map(texts.flat());
}

/** Path from the root of what a document links to. */
function relativeTo(document: string, target: string): string {
  return new URL(target, new URL(document, ROOT)).href.slice(ROOT.href.length);
}

/** The rows of every table of this name. */
function tableRows(name: keyof typeof TABLES): readonly (readonly string[])[] {
  const tables = tablesOf(DOCUMENTS.get(TABLES[name])!).filter((table) => table.name === name);
  assert(tables.length > 0, `${TABLES[name]} has no table whose first column is "${name}"`);
  return tables.flatMap(({ rows }) => rows);
}

/** Fails with a sentence that names what lacks where. */
function assertSame(
  what: keyof typeof TABLES,
  { said, there }: { readonly said: readonly string[]; readonly there: readonly string[] },
): void {
  const problems = [
    ...there.filter((one) => !said.includes(one)).map((one) =>
      `The ${what} \`${one}\` is in the program, and its table in ${TABLES[what]} lacks it.`
    ),
    ...said.filter((one) => !there.includes(one)).map((one) =>
      `The ${what} \`${one}\` is in ${TABLES[what]}, and the program has none.`
    ),
    ...said.filter((one, at) => said.indexOf(one) < at).map((one) =>
      `The ${what} \`${one}\` is in ${TABLES[what]} twice.`
    ),
  ];
  assert.equal(problems.length, 0, problems.join("\n"));
}

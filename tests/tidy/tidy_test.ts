/** The house rules, read from the program's own syntax trees: who imports whom, what is banned, how big things get. @module */
import assert from "node:assert/strict";

interface Source {
  /** From the root of the project, `lib/market/candle.ts`. */
  readonly path: string;
  readonly text: string;
}

interface Rule {
  /** A sentence that is false when the rule is broken. */
  readonly name: string;
  readonly covers: RegExp;
  /** What is wrong with a source, one `line: what` each. */
  readonly offences: (source: Source) => readonly string[];
  /** Sources that break the rule, by path: a rule that finds nothing in one of them is no rule. */
  readonly broken: readonly Sample[];
  /** Sources that look alike and keep it. */
  readonly kept: readonly Sample[];
}

type Sample = readonly [path: string, text: string];
type Node = Deno.lint.Node;
type Report = (node: Node, what: string) => void;

const PROGRAM = /^(lib\/.*|main)\.[cm]?[jt]sx?$/;
const LIB = /^lib\/.*\.[cm]?[jt]sx?$/;
const TESTS = /^tests\/.*_test\.ts$/;
const SCRIPTS = /\.[cm]?[jt]sx?$/;
const SOURCES = /\.([cm]?[jt]sx?|sql)$/;

const FILE_LINES_MAX = 320;
const FUNCTION_LINES_MAX = 70;

/** From the top down. A room opens to itself and to every floor below its own, never to its neighbours. */
const FLOORS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["lib/cli/"],
  ["lib/daemon/"],
  ["lib/serve/"],
  ["lib/doctor/", "lib/report/", "lib/transfer/"],
  ["lib/fetch/", "lib/live/", "lib/gap/", "lib/upkeep/", "lib/alert/", "lib/node/"],
  ["lib/archive/"],
  ["lib/exchange/", "lib/store/", "lib/local_exchange/"],
  ["lib/config/"],
  ["lib/telemetry/"],
  ["lib/policy/", "lib/market/"],
  ["lib/text/"],
  ["lib/clock.ts", "lib/version.ts"],
];

/** What a room may take from its neighbours all the same. */
const NEIGHBOURLY: readonly (readonly [room: string, file: string])[] = [
  // A gap is asked for, and a streamed candle confirmed, by the very step that polls and backfills take.
  ["lib/gap/", "lib/fetch/page.ts"],
  ["lib/gap/", "lib/fetch/page_queue.ts"],
  ["lib/live/", "lib/fetch/page.ts"],
  // Alerts judge the figures of the gap account.
  ["lib/alert/", "lib/gap/account.ts"],
];

const RULES: readonly Rule[] = [
  {
    name: "a file imports only from floors below its own, or from its own room",
    covers: PROGRAM,
    offences: (source) =>
      imports(source).flatMap(({ line, specifier }) => {
        const fault = specifier === undefined
          ? source.path.startsWith("lib/exchange/") ? undefined : "imports what only a run can tell"
          : floorFault(source.path, specifier);
        return fault === undefined ? [] : [`${line}: ${fault}`];
      }),
    broken: [
      ["lib/clock.ts", `import { retry } from "./policy/retry.ts";`],
      ["lib/clock.ts", `import type { Daemon } from "./daemon/daemon.ts";`],
      ["lib/market/candle.ts", `import type { Clock } from "../clock.ts";`],
      ["lib/market/candle.ts", `import { join } from "node:path";`],
      ["lib/market/candle.ts", `import deno from "../../deno.json" with { type: "json" };`],
      ["lib/policy/retry.ts", `import { candle } from "../market/candle.ts";`],
      ["lib/store/ledger.ts", `export { FetchError } from "../exchange/fetch_error.ts";`],
      ["lib/exchange/client.ts", `export * from "../local_exchange/server.ts";`],
      ["lib/exchange/client.ts", `let state: import("../store/ledger.ts").Owed;`],
      ["lib/fetch/page.ts", `await import("../serve/http_server.ts");`],
      ["lib/fetch/page.ts", `await import(name);`],
      ["lib/fetch/page.ts", `import.meta.resolve("../cli/run.ts");`],
      ["lib/cli/run.ts", `import { main } from "../../main.ts";`],
      ["lib/cli/run.ts", `import { ManualClock } from "../../tests/support/manual_clock.ts";`],
      ["lib/elsewhere/file.ts", `import { systemClock } from "../clock.ts";`],
      ["lib/fetch/page.ts", `import { thing } from "../elsewhere/file.ts";`],
      ["lib/fetch/page.ts", `import { repairGaps } from "../gap/repair.ts";`],
      ["lib/gap/repair.ts", `import { Poll } from "../fetch/poll.ts";`],
      ["lib/loose.ts", `import { systemClock } from "./clock.ts";`],
    ],
    kept: [
      ["main.ts", `import { main } from "./lib/cli/main.ts";`],
      [
        "lib/daemon/daemon.ts",
        `import { Schedule } from "./schedule.ts";\nimport { z } from "zod";`,
      ],
      ["lib/gap/repair.ts", `import { ingestPage } from "../fetch/page.ts";`],
      [
        "lib/fetch/page.ts",
        `import "./poll.ts"; import "../store/ledger.ts"; import "../clock.ts";`,
      ],
      ["lib/store/connection/migrations.ts", `import first from "../../../sql/0001.sql";`],
      ["lib/exchange/ccxt.ts", "await import(new URL(`./${id}.js`, main).href);"],
      ["lib/version.ts", `import deno from "../deno.json" with { type: "json" };`],
      ["lib/clock.ts", `// import "./daemon.ts";\nconst text = 'import "./daemon.ts"';`],
    ],
  },
  {
    name: "nothing is loaded from a host, and no code from a text",
    covers: SCRIPTS,
    offences: (source) =>
      loaded(source)
        .filter(({ specifier }) => /^(?!(?:npm|node|file):)[a-z][a-z+.-]*:/i.test(specifier))
        .map(({ line, specifier }) => `${line}: loads ${specifier}`),
    broken: [
      ["lib/a.ts", `import { a } from "https://deno.land/x/a.ts";`],
      ["main.ts", `import type { A } from "http://example.com/a.ts";`],
      ["lib/a.ts", `export * from "jsr:@std/assert@1";`],
      ["tests/unit/a_test.ts", `await import("https://esm.sh/a");`],
      ["tests/unit/a_test.ts", "await import(`https://esm.sh/${name}`);"],
      ["tests/unit/a_test.ts", `await import("data:text/javascript,1");`],
      ["tests/unit/a_test.ts", `let a: import("https://esm.sh/a").A;`],
      [".ci/compile.ts", `import "HTTPS://deno.land/x/a.ts";`],
      ["lib/serve/page/a.js", `import "//cdn.example.com/a.js";`],
      ["lib/a.ts", `new Worker("https://example.com/a.js", { type: "module" });`],
      ["lib/a.ts", `new Worker(new URL("https://example.com/a.js"), { type: "module" });`],
    ],
    kept: [
      ["lib/a.ts", `import "zod"; import "node:fs"; import "npm:ccxt@4.5.84"; import "./b.ts";`],
      ["lib/a.ts", `await fetch("https://example.com"); // import "https://example.com"`],
      ["lib/a.ts", `new Worker(new URL("./a.ts", import.meta.url), { type: "module" });`],
      ["lib/serve/page/a.js", `import "/page/b.js";`],
    ],
  },
  onlyIn("lib/exchange/", "CCXT is imported", importsOf("ccxt"), {
    broken: [`import ccxt from "ccxt";`, `await import("npm:ccxt@4");`, `import "ccxt/js/a.js";`],
    kept: [`import "ccxtra";`, `// import "ccxt"`],
  }),
  onlyIn("lib/store/", "postgres.js is imported", importsOf("postgres"), {
    broken: [`import type { Sql } from "postgres";`, `import postgres from "npm:postgres@3.4.9";`],
    kept: [`import "./postgres.ts";`],
  }),
  onlyIn("lib/clock.ts", "the time of day is read", uses("Date.now", "Date()"), {
    broken: [
      `Date.now();`,
      `const now = Date.now;`,
      `Date["now"]();`,
      `globalThis.Date.now();`,
      `Date();`,
    ],
    kept: [`// Date.now()`, `"Date.now()";`, `Date.UTC(2024);`, `clock.now();`, `new Date(1);`],
  }),
  onlyIn(undefined, "`new Date()` is given its time", uses("new Date()"), {
    broken: [`new Date();`, `new Date;`, `new globalThis.Date();`],
    kept: [`new Date(0);`, `new Date(...parts);`, `"new Date()";`],
  }),
  onlyIn("lib/clock.ts", "a timer is set", uses("setTimeout", "setInterval"), {
    broken: [
      `setTimeout(f, 1);`,
      `globalThis.setInterval(f);`,
      `import { setTimeout as a } from "node:timers";`,
    ],
    kept: [`clearTimeout(timer);`, "`setTimeout(${a})`;", `/* setInterval( */`],
  }),
  onlyIn("main.ts", "chance is drawn", uses("Math.random"), {
    broken: [`Math.random();`, `const options = { random: Math.random };`],
    kept: [`Math.max(1);`, `options.random();`, `// Math.random()`],
  }),
  onlyIn("main.ts", "the environment is read", uses("Deno.env", "process.env"), {
    broken: [`Deno.env.get("A");`, `const { env } = process; process.env.A;`],
    kept: [`environment.get("A");`, `Deno.exit();`, `"Deno.env";`],
  }),
  onlyIn(undefined, "nobody writes to the console", uses("console."), {
    broken: [`console.log(1);`, `globalThis.console.error(1);`],
    kept: [`log.console;`, `"console.log";`],
  }),
  onlyIn(undefined, "no transaction is begun by the driver", uses(".begin"), {
    broken: ["await sql.begin(async () => {});", `const begin = sql?.["begin"];`],
    kept: [`begin();`, `// sql.begin(`],
  }),
  onlyIn("lib/store/connection/database.ts", "a pool is taken without a deadline", uses(".sql"), {
    broken: ["await database.sql`select 1`;", `async function read({ sql }: Database) {}`],
    kept: ["await database.run('read', (sql) => sql`select 1`);", `const sql = { text };`],
  }),
  // What another node holds is refused there, also to a verb that does not think of it.
  onlyIn("lib/archive/", "exchanges are asked for candles, rates and tickers", asksClient, {
    broken: [
      `await exchange.client.fetchCandles(series, window, {});`,
      `await client.fetchFunding(ask, {});`,
      `await this.client.topSymbols(list, {});`,
    ],
    kept: [`await exchange.askPage(series, window, {});`, `await exchange.topSymbols(list, {});`],
  }),
  onlyIn(undefined, "no connection is reserved and nothing is copied", copies, {
    broken: [
      `await sql.reserve();`,
      "await sql`copy ${table} from stdin`.writable();",
      "await sql`COPY candles TO STDOUT`;",
      `sql.unsafe("copy candles (time)\\nfrom stdin");`,
      "await query.writable();",
    ],
    kept: [
      `"Copy the file to the data directory.";`,
      `stream.writable;`,
      `// COPY candles FROM STDIN`,
    ],
  }),
  onlyIn(undefined, "no list of any length is spread into a call's arguments", spreads, {
    broken: [
      `Math.max(...rows);`,
      `Math.min(0, ...rows.map(({ a }) => a));`,
      `all.push(...rows);`,
      `this.#all?.push(...rows);`,
      `lines["unshift"](...rows);`,
      `all.splice(0, 1, ...rows);`,
      `Math.max.apply(null, rows);`,
    ],
    kept: [
      `Math.max(a, b);`,
      `all.push(...[1, 2]);`,
      `[...rows, ...others];`,
      `rows.reduce((most, row) => Math.max(most, row), 0);`,
      `run(...args);`,
      `for (const row of rows) all.push(row);`,
    ],
  }),
  onlyIn(
    undefined,
    "nothing is of the type any",
    (source) => visit(source, (report) => ({ TSAnyKeyword: (node) => report(node, "any") })),
    {
      broken: [`let a: any;`, `b as any;`, `let c: Array<any>;`, `function d(...all: any[]) {}`],
      kept: [`let a: unknown;`, `// any`, `const any = 1;`, `"as any";`],
    },
  ),
  {
    name: "the text of an error is made by errorText, which hides secrets and cuts it",
    // They run in a browser or a thread of their own, look at the whole text, or hide secrets in a longer one.
    covers:
      /^lib\/(?!text\/|serve\/page\/|exchange\/classify\.ts|store\/connection\/embedded_worker\.ts|cli\/program\.ts)/,
    offences: (source) =>
      visit(source, (report) => ({
        ConditionalExpression(node): void {
          const [test, whole, other] = [node.test, node.consequent, node.alternate].map((part) =>
            source.text.slice(...part.range)
          );
          if (!/ instanceof Error$/.test(test!) || !/\.message$/.test(whole!)) return;
          if (/^String\(/.test(other!)) report(node, `${whole} without errorText`);
        },
      })),
    broken: [[
      "lib/a.ts",
      `const text = error instanceof Error ? error.message : String(error);`,
    ]],
    kept: [
      ["lib/a.ts", `errorText(error); const at = error instanceof Error ? error.message : "";`],
    ],
  },
  {
    name: `a file has at most ${FILE_LINES_MAX} lines`,
    covers: PROGRAM,
    offences: ({ text }) => {
      const lines = text.replace(/\n$/, "").split("\n").length;
      return lines > FILE_LINES_MAX ? [`${lines} lines`] : [];
    },
    broken: [["lib/a.ts", "a;\n".repeat(FILE_LINES_MAX + 1)]],
    kept: [["lib/a.ts", "a;\n".repeat(FILE_LINES_MAX)]],
  },
  {
    name: `a function has at most ${FUNCTION_LINES_MAX} lines`,
    covers: PROGRAM,
    offences: (source) =>
      visit(source, (report) => {
        const measure = (node: Node): void => {
          const lines = source.text.slice(...node.range).split("\n").length;
          if (lines > FUNCTION_LINES_MAX) report(node, `a function of ${lines} lines`);
        };
        return {
          FunctionDeclaration: measure,
          FunctionExpression: measure,
          ArrowFunctionExpression: measure,
        };
      }),
    broken: [
      ["lib/a.ts", `function a() {\n${"b;\n".repeat(FUNCTION_LINES_MAX - 1)}}`],
      ["lib/a.ts", `class A {\n  async b() {\n${"c;\n".repeat(FUNCTION_LINES_MAX)}}\n}`],
      ["lib/a.ts", `const a = () => {\n${"b;\n".repeat(FUNCTION_LINES_MAX)}};`],
    ],
    kept: [
      ["lib/a.ts", `function a() {\n${"b;\n".repeat(FUNCTION_LINES_MAX - 2)}}`],
      ["lib/a.ts", `class A {\n${"  a() {}\n".repeat(FUNCTION_LINES_MAX)}}`],
    ],
  },
  {
    name: "a file is named after a noun of the field",
    covers: /\.ts$/,
    offences: ({ path }) =>
      /(^|[/_.])(utils?|helpers?|types?|constants?|index|common|misc)(_test)?\.\w+$/.test(path)
        ? ["says nothing of what is in it"]
        : [],
    broken: [["lib/utils.ts", ""], ["lib/store/index.ts", ""], ["tests/support/db_helpers.ts", ""]],
    kept: [["lib/market/candle.ts", ""], ["lib/store/archetypes.ts", ""]],
  },
  {
    name: "a file says first what it is for",
    covers: PROGRAM,
    offences: ({ text }) =>
      /^\/\*\*\s(?:(?!\*\/)[^])*\w(?:(?!\*\/)[^])*@module\s*\*\//.test(text)
        ? []
        : ["1: does not begin with /** … @module */"],
    broken: [
      ["lib/a.ts", `import "./b.ts";\n/** Says it late. @module */`],
      ["lib/a.ts", `/** Says it without the tag. */\n/** @module */`],
      ["lib/a.ts", `/** @module */`],
    ],
    kept: [["lib/a.ts", `/** Says it. @module */`], [
      "main.ts",
      `/**\n * Says it.\n * @module\n */\n`,
    ]],
  },
  {
    name: "a migration says first why",
    covers: /^sql\/.*\.sql$/,
    offences: ({ text }) => /^-- *\w/.test(text) ? [] : ["1: does not begin with a comment"],
    broken: [["sql/0001_a.sql", "create table a ();"], [
      "sql/0001_a.sql",
      "--\ncreate table a ();",
    ]],
    kept: [["sql/0001_a.sql", "-- Why there is an a.\ncreate table a ();"]],
  },
  {
    name: "a thing is called by the words of the field",
    covers: LIB,
    offences: (source) => [...bannedWords(source)],
    broken: [
      ["lib/a.ts", `const lastCursor = 1;`],
      ["lib/a.ts", `class PoolManager {}`],
      ["lib/a.ts", `class A { #handler = 1; }`],
      ["lib/a.ts", `interface A { readonly pairs: 1 }`],
      ["lib/a.ts", `function f({ httpService }) {}`],
      ["lib/a.ts", `const KLINES_MAX = 1;`],
      ["lib/a.ts", `const { handler } = options;`],
      ["lib/job_manager.ts", ""],
    ],
    kept: [
      [
        "lib/a.ts",
        `response.cursor; let info: Deno.ServeHandlerInfo; import { pair as two } from "x";`,
      ],
      ["lib/a.ts", `const { handler: serve } = options; const repaired = 1; // a cursor\n"kline";`],
      ["lib/exchange/ccxt.ts", `const kline = 1;`],
      ["lib/local_exchange/binance.ts", `function klines() {}`],
    ],
  },
  {
    name: "a unit test waits for no real time",
    covers: /^tests\/unit\/.*\.ts$/,
    offences: (source) => {
      const waits = uses("setTimeout", "setInterval", "Atomics.wait", "sleep()", "delay()")(source);
      // Fake timers make the machine's clock a manual one.
      const isFaked = imports(source).some(({ specifier }) => specifier === "@sinonjs/fake-timers");
      return isFaked ? waits : [...waits, ...uses("systemClock")(source)];
    },
    broken: [
      ["tests/unit/a_test.ts", `await sleep(10);`],
      [
        "tests/unit/a_test.ts",
        `import { systemClock } from "./a.ts"; await systemClock.sleep(10);`,
      ],
      ["tests/unit/a_test.ts", `await new Promise((resolve) => setTimeout(resolve, 10));`],
      ["tests/unit/a_test.ts", `import { setTimeout as wait } from "node:timers/promises";`],
    ],
    kept: [
      ["tests/unit/a_test.ts", `await clock.sleep(10); // sleep(10)`],
      [
        "tests/unit/a_test.ts",
        `import "@sinonjs/fake-timers"; import { systemClock } from "./a.ts";`,
      ],
    ],
  },
  {
    name: "the name of a test is a sentence",
    covers: TESTS,
    offences: (source) =>
      visit(source, (report) => ({
        CallExpression(node): void {
          if (!/^Deno\.test(\.\w+)?$/.test(dotted(node.callee))) return;
          const name = testName(node.arguments[0]);
          if (!/\S\s+\S/.test(name)) report(node, `a test called ${JSON.stringify(name)}`);
        },
      })),
    broken: [
      ["tests/unit/a_test.ts", `Deno.test("retry", () => {});`],
      ["tests/unit/a_test.ts", `Deno.test({ name: "retry", fn() {} });`],
      ["tests/unit/a_test.ts", `Deno.test.ignore("retry", () => {});`],
      ["tests/unit/a_test.ts", "Deno.test(`${retry}`, () => {});"],
      ["tests/unit/a_test.ts", `Deno.test(function retries() {});`],
    ],
    kept: [
      ["tests/unit/a_test.ts", `Deno.test("a retry ends", () => {});`],
      ["tests/unit/a_test.ts", `Deno.test({ name: "a retry ends", fn() {} });`],
      ["tests/unit/a_test.ts", "Deno.test(`a retry ends ${when}`, () => {});"],
    ],
  },
];

/** What is held by the sources as a whole. */
const HOUSE_RULES: readonly {
  /** A sentence that is false when the rule is broken. */
  readonly name: string;
  readonly offences: (sources: readonly Source[]) => readonly string[];
  readonly broken: readonly Sample[];
  readonly kept: readonly Sample[];
}[] = [
  {
    name: "no files import each other in a ring",
    offences: (sources) => importCycles(sources.filter(({ path }) => PROGRAM.test(path))),
    broken: [
      ["lib/a.ts", `import "./b.ts";`],
      ["lib/b.ts", `import type { C } from "./c/c.ts";`],
      ["lib/c/c.ts", `export { a } from "../a.ts";`],
    ],
    kept: [
      ["lib/a.ts", `import "./b.ts"; import "./c.ts";`],
      ["lib/b.ts", `import "./c.ts"; import "zod";`],
      ["lib/c.ts", `// import "./a.ts";`],
    ],
  },
  {
    name: "what is exported is imported somewhere",
    offences: unusedExports,
    broken: [["lib/a.ts", `export const a = 1;`], ["lib/b.ts", `import { b } from "./a.ts";`]],
    kept: [
      ["lib/a.ts", `export const a = 1; export class B {} export type C = 1; const d = 1;`],
      ["lib/b.ts", `import { a as one, B } from "./a.ts";\nexport type { C } from "./a.ts";`],
      ["tests/unit/a_test.ts", `import { C } from "../../lib/b.ts";`],
    ],
  },
  {
    name: "a file's name stands once in lib/, commands aside",
    offences: sameNames,
    broken: [["lib/gap/page.ts", ""], ["lib/fetch/page.ts", ""]],
    kept: [["lib/gap/repair.ts", ""], ["lib/fetch/page.ts", ""], ["lib/cli/page.ts", ""]],
  },
];

const SOURCE_TREE = await readSources();

for (const { name, offences, broken, kept } of HOUSE_RULES) {
  Deno.test(`house rule: ${name}`, () => {
    const offenders = offences(SOURCE_TREE);
    if (offenders.length > 0) assert.fail(`\n  ${offenders.join("\n  ")}\n`);
  });

  Deno.test(`house rule, planted offenders: ${name}`, () => {
    const sources = (samples: readonly Sample[]): Source[] =>
      samples.map(([path, text]) => ({ path, text }));
    assert.notDeepEqual(offences(sources(broken)), []);
    assert.deepEqual(offences(sources(kept)), []);
  });
}

for (const { name, covers, offences, broken, kept } of RULES) {
  Deno.test(`house rule: ${name}`, () => {
    const covered = SOURCE_TREE.filter(({ path }) => covers.test(path));
    assert.notEqual(covered.length, 0, "the rule covers no file");
    const offenders = covered.flatMap((source) =>
      offences(source).map((offence) => `${source.path}:${offence}`)
    );
    if (offenders.length > 0) assert.fail(`\n  ${offenders.join("\n  ")}\n`);
  });

  Deno.test(`house rule, planted offenders: ${name}`, () => {
    for (const [path, text] of broken) {
      assert.ok(covers.test(path), `${path} is not covered`);
      assert.notDeepEqual(offences({ path, text }), [], `not found in ${path}: ${text}`);
    }
    for (const [path, text] of kept) {
      assert.deepEqual(offences({ path, text }), [], `found in ${path}: ${text}`);
    }
  });
}

/** A rule that one place of the program is excepted from, or none. */
function onlyIn(
  place: string | undefined,
  what: string,
  offences: Rule["offences"],
  { broken, kept }: { readonly broken: readonly string[]; readonly kept: readonly string[] },
): Rule {
  const isPlace = (path: string): boolean =>
    place !== undefined && (place.endsWith("/") ? path.startsWith(place) : path === place);
  const elsewhere = (text: string): Sample => ["lib/elsewhere.ts", text];
  const inPlace: Sample[] = place === undefined
    ? []
    : broken.map((text) => [place.endsWith("/") ? `${place}a.ts` : place, text]);
  return {
    name: place === undefined ? what : `${what} only in ${place}`,
    covers: PROGRAM,
    offences: (source) => isPlace(source.path) ? [] : offences(source),
    broken: broken.map(elsewhere),
    kept: [...kept.map(elsewhere), ...inPlace],
  };
}

/** Walks a source's syntax tree, and returns what was reported of it. */
function visit(
  { path, text }: Source,
  visitor: (report: Report) => Deno.lint.LintVisitor,
): string[] {
  const found: string[] = [];
  const report: Report = ({ range: [start] }, what) => {
    found.push(`${text.slice(0, start).split("\n").length}: ${what}`);
  };
  Deno.lint.runPlugin(
    { name: "tidy", rules: { rule: { create: () => visitor(report) } } },
    path,
    text,
  );
  return found;
}

interface Import {
  readonly line: number;
  /** Undefined when it is computed. */
  readonly specifier: string | undefined;
  /** What is taken, by the names of the file it is taken from; `*` for everything. */
  readonly names: readonly string[];
}

/** Everything a source imports, re-exports, or resolves, types included. */
function imports(source: Source): Import[] {
  const found: Import[] = [];
  visit(source, () => {
    const add = (node: Node, specifier: unknown, names: readonly string[] = ["*"]): void => {
      const line = source.text.slice(0, node.range[0]).split("\n").length;
      found.push({ line, specifier: typeof specifier === "string" ? specifier : undefined, names });
    };
    return {
      ImportDeclaration(node): void {
        const names = node.specifiers.map((one) =>
          one.type === "ImportSpecifier"
            ? dotted(one.imported)
            : one.type === "ImportDefaultSpecifier"
            ? "default"
            : "*"
        );
        add(node, node.source.value, names);
      },
      ExportAllDeclaration: (node) => add(node, node.source.value),
      ExportNamedDeclaration(node): void {
        if (!node.source) return;
        add(node, node.source.value, node.specifiers.map(({ local }) => dotted(local)));
      },
      ImportExpression: (node) => add(node, literal(node.source)),
      "TSImportType TSLiteralType > Literal": (node) => add(node, literal(node)),
      CallExpression(node): void {
        if (source.text.slice(...node.callee.range) !== "import.meta.resolve") return;
        add(node, literal(node.arguments[0]));
      },
    };
  });
  return found;
}

/** What is loaded as code: imports, and the scripts of workers. Of a template, its beginning. */
function loaded(source: Source): { readonly line: number; readonly specifier: string }[] {
  const found = imports(source).flatMap(({ line, specifier = "" }) => ({ line, specifier }));
  visit(source, () => {
    const add = (node: Node | undefined): void => {
      const isUrl = node?.type === "NewExpression" && dotted(node.callee) === "URL";
      const text = isUrl ? node.arguments[0] : node;
      const specifier = text?.type === "TemplateLiteral" ? text.quasis[0]?.cooked : literal(text);
      if (node === undefined || specifier === undefined) return;
      found.push({ line: source.text.slice(0, node.range[0]).split("\n").length, specifier });
    };
    return {
      "ImportExpression > TemplateLiteral": add,
      NewExpression(node): void {
        if (dotted(node.callee) === "Worker") add(node.arguments[0]);
      },
    };
  });
  // What has no scheme takes it from where it is loaded.
  return found.map(({ line, specifier }) => ({
    line,
    specifier: specifier.replace(/^\/\//, "https://"),
  }));
}

/** Says what is wrong with an import, if anything is. */
function floorFault(path: string, specifier: string): string | undefined {
  const own = roomOf(path);
  if (own === undefined) return `is on no floor, and imports ${specifier}`;
  if (!/^(\.|\/|file:)/.test(specifier)) {
    return own.room === "lib/market/" ? `imports ${specifier} from outside the rules` : undefined;
  }
  const target = targetOf(path, specifier);
  if (/^(sql\/|deno\.json$)/.test(target) && own.room !== "lib/market/") return undefined;
  const other = roomOf(target);
  if (other === undefined) return `imports ${target}, which is on no floor`;
  if (own.room === other.room) return undefined;
  if (own.room === "lib/market/") return `imports ${target} from outside the rules`;
  if (NEIGHBOURLY.some(([room, file]) => room === own.room && file === target)) return undefined;
  return other.floor > own.floor ? undefined : `imports ${target}, which is not on a floor below`;
}

/** The path from the project's root that a relative import means. */
function targetOf(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

function roomOf(path: string): { readonly room: string; readonly floor: number } | undefined {
  for (const [floor, rooms] of FLOORS.entries()) {
    const room = rooms.find((room) => room.endsWith("/") ? path.startsWith(room) : path === room);
    if (room !== undefined) return { room, floor };
  }
}

/** Files that import each other in a ring, types included, each ring named by one of its files. */
function importCycles(sources: readonly Source[]): string[] {
  const targets = new Map(sources.map((source) => [
    source.path,
    imports(source).flatMap(({ specifier }) =>
      specifier?.startsWith(".") ? [targetOf(source.path, specifier)] : []
    ),
  ]));
  const done = new Set<string>();
  const found: string[] = [];
  const follow = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start !== -1) found.push(`${path}: ${[...way.slice(start), path].join(" → ")}`);
    if (start !== -1 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) follow(target, [...way, path]);
    done.add(path);
  };
  for (const path of targets.keys()) follow(path, []);
  return found;
}

/** Names that a file of the program exports and that no other file imports. */
function unusedExports(all: readonly Source[]): string[] {
  const sources = all.filter(({ path }) => /\.[cm]?[jt]sx?$/.test(path));
  const used = new Set(
    sources.flatMap((source) =>
      imports(source).flatMap(({ specifier, names }) =>
        specifier?.startsWith(".")
          ? names.map((name) => `${targetOf(source.path, specifier)} ${name}`)
          : []
      )
    ),
  );
  return sources.filter(({ path }) => PROGRAM.test(path)).flatMap((source) =>
    exportsOf(source)
      .filter((name) => !used.has(`${source.path} ${name}`) && !used.has(`${source.path} *`))
      .map((name) => `${source.path}: ${name} is exported and imported nowhere`)
  );
}

/** The names that a source exports, as others must call them. */
function exportsOf(source: Source): string[] {
  const found: string[] = [];
  const add = (node: Node | null): void => {
    const name = node === null ? "" : dotted(node);
    if (name !== "") found.push(name);
  };
  visit(source, () => ({
    ExportNamedDeclaration(node): void {
      for (const { exported } of node.specifiers) add(exported);
      const { declaration } = node;
      if (declaration?.type === "VariableDeclaration") {
        for (const { id } of declaration.declarations) add(id);
      } else if (declaration !== null && "id" in declaration) {
        add(declaration.id as Node | null);
      }
    },
  }));
  return found;
}

/** Files of one name in two rooms. A command is called after what it does, which may be another file's name, too. */
function sameNames(sources: readonly Source[]): string[] {
  const rooms = sources.filter(({ path }) => LIB.test(path) && !path.startsWith("lib/cli/"));
  const byName = Map.groupBy(rooms, ({ path }) => path.slice(path.lastIndexOf("/") + 1));
  return [...byName].flatMap(([name, same]) =>
    same.length === 1 ? [] : [`${name}: ${same.map(({ path }) => path).join(", ")}`]
  );
}

function importsOf(name: string): Rule["offences"] {
  const pattern = new RegExp(`^(npm:/?)?${name}(?=$|[@/])`);
  return (source) =>
    imports(source)
      .filter(({ specifier }) => pattern.test(specifier ?? ""))
      .map(({ line, specifier }) => `${line}: imports ${specifier}`);
}

/**
 * Finds uses of names: `a` wherever it stands, `a.b`, `a.` with anything behind it, `.b` behind anything or taken out
 * of it, `a()` called as a function by that very name, `new A()` without arguments.
 */
function uses(...names: readonly string[]): Rule["offences"] {
  return (source) =>
    visit(source, (report) => {
      const check = (node: Node, ...forms: readonly string[]): void => {
        const form = forms.find((form) => names.includes(form));
        if (form !== undefined) report(node, form);
      };
      return {
        Identifier: (node) => check(node, node.name),
        MemberExpression(node): void {
          const [object, property] = [dotted(node.object), dotted(node).split(".").at(-1)];
          check(node, `${object}.${property}`, `${object}.`, `.${property}`);
        },
        "ObjectPattern > Property": (node: Deno.lint.Property) =>
          check(node, `.${dotted(node.key)}`),
        CallExpression: (node) => check(node, `${dotted(node.callee)}()`),
        NewExpression(node): void {
          if (node.arguments.length === 0) check(node, `new ${dotted(node.callee)}()`);
        },
      };
    });
}

/** Finds lists spread into what takes any number of arguments: from some 100,000 on that is a stack overflow. */
function spreads(source: Source): string[] {
  return visit(source, (report) => ({
    CallExpression(node): void {
      const callee = dotted(node.callee);
      const [name, called] = [callee.split(".").at(-1) ?? "", callee.replace(/\.apply$/, "")];
      const takesAny = /^Math\.(max|min)$/.test(called) || /\.(push|unshift|splice)$/.test(called);
      if (!takesAny) return;
      const isSpread = name === "apply" ||
        node.arguments.some((argument) =>
          argument.type === "SpreadElement" && argument.argument.type !== "ArrayExpression"
        );
      if (isSpread) report(node, `a list spread into ${callee}`);
    },
  }));
}

/** Finds requests past the archived exchange. */
function asksClient(source: Source): string[] {
  return visit(source, (report) => ({
    CallExpression(node): void {
      const callee = dotted(node.callee);
      if (/\bclient\.(fetchCandles|fetchFunding|topSymbols)$/.test(callee)) report(node, callee);
    },
  }));
}

/** Finds COPY and reserved connections; postgres.js copies through a query's `writable()`. */
function copies(source: Source): string[] {
  return visit(source, (report) => {
    const check = (node: Node, text: unknown): void => {
      if (/\bcopy\b[^;]*\b(stdin|stdout|program)\b/i.test(String(text))) report(node, "COPY");
    };
    return {
      MemberExpression(node): void {
        if (dotted(node).endsWith(".reserve")) report(node, "reserve");
      },
      CallExpression(node): void {
        if (dotted(node.callee).endsWith(".writable")) report(node, "a stream into COPY");
      },
      Literal: (node) => check(node, node.value),
      TemplateLiteral: (node) => check(node, node.quasis.map(({ cooked }) => cooked).join(" x ")),
    };
  });
}

const BANNED_WORD = /^(kline|cursor|manager|handler|service|pair)s?$/;

/** Speaks an exchange's own words, so ours do not apply. */
const FOREIGN = /^lib\/(exchange\/ccxt\.ts|local_exchange\/)/;

function bannedWords(source: Source): string[] {
  if (FOREIGN.test(source.path)) return [];
  const isBanned = (name: string): boolean =>
    name.split(/_|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/)
      .some((word) => BANNED_WORD.test(word.toLowerCase()));
  const inPath = source.path.split(/[/.]/).filter(isBanned).map((name) => `1: ${name}`);
  return inPath.concat(visit(source, (report) => {
    const check = (node: Deno.lint.Identifier | Deno.lint.PrivateIdentifier): void => {
      if (isBanned(node.name) && !isForced(node)) report(node, node.name);
    };
    return { Identifier: check, PrivateIdentifier: check };
  }));
}

/** Names that were given elsewhere: behind a dot, by an imported module, in an object taken apart. */
function isForced(node: Deno.lint.Identifier | Deno.lint.PrivateIdentifier): boolean {
  const { parent } = node;
  const isThis = (other: Node | null | undefined): boolean =>
    other?.range[0] === node.range[0] && other.range[1] === node.range[1];
  switch (parent.type) {
    case "MemberExpression":
      return isThis(parent.property) && !parent.computed;
    case "TSQualifiedName":
      return isThis(parent.right);
    case "ImportSpecifier":
      return isThis(parent.imported);
    case "Property":
      return parent.parent.type === "ObjectPattern" && isThis(parent.key) && !parent.shorthand;
    default:
      return false;
  }
}

/** `a.b.c` of a chain of plain names, brackets and question marks aside; `globalThis` goes without saying. */
function dotted(node: Node): string {
  switch (node.type) {
    case "Identifier":
      return node.name;
    case "ChainExpression":
      return dotted(node.expression);
    case "MemberExpression": {
      const object = dotted(node.object);
      const property = node.computed ? literal(node.property) ?? "" : dotted(node.property);
      return object === "globalThis" ? property : `${object}.${property}`;
    }
    default:
      return "";
  }
}

function literal(node: Node | undefined): string | undefined {
  return node?.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}

/** What can be read of a test's name: all of a text, the fixed parts of a template. */
function testName(node: Node | undefined): string {
  switch (node?.type) {
    case "TemplateLiteral":
      return node.quasis.map(({ cooked }) => cooked).join("…");
    case "ObjectExpression": {
      const named = node.properties.find((property) =>
        property.type === "Property" && dotted(property.key) === "name"
      );
      return named?.type === "Property" ? testName(named.value) : "";
    }
    default:
      return literal(node) ?? "";
  }
}

async function readSources(): Promise<Source[]> {
  const root = new URL("../../", import.meta.url);
  const sources: Source[] = [];
  const read = async (path: string): Promise<void> => {
    sources.push({ path, text: await Deno.readTextFile(new URL(path, root)) });
  };
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
      if (isDirectory) await walk(`${folder}${name}/`);
      else if (SOURCES.test(name)) await read(`${folder}${name}`);
    }
  };
  await Promise.all([read("main.ts"), ...["lib/", "sql/", "tests/", ".ci/"].map(walk)]);
  return sources.sort((one, other) => one.path < other.path ? -1 : 1);
}

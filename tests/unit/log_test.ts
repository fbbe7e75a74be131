import assert from "node:assert/strict";
import { configureLogging, logger, type LogOptions } from "../../lib/telemetry/log.ts";
import { hideSecrets } from "../../lib/text/redact.ts";

class FetchError extends Error {
  override readonly name = "FetchError";
  readonly kind = "transient";
}

type Line = Record<string, unknown> & { error?: Record<string, unknown> };

/** What is written while `log` runs. */
function linesOf(options: Partial<LogOptions>, log: () => void): string[] {
  const lines: string[] = [];
  configureLogging({
    level: "debug",
    format: "json",
    write: (line) => lines.push(line),
    ...options,
  });
  log();
  return lines;
}

function jsonOf(options: Partial<LogOptions>, log: () => void): Line {
  const lines = linesOf(options, log);
  assert.equal(lines.length, 1);
  return JSON.parse(lines[0]!) as Line;
}

Deno.test("a JSON line has time, level, logger and message, then the properties", () => {
  const [text = ""] = linesOf({}, () => {
    logger("ingest").info("Page written", { exchange: "binance", candles: 500 });
  });
  const { time, ...others } = JSON.parse(text) as Line;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(
    JSON.stringify(others),
    '{"level":"info","logger":"ingest","message":"Page written","exchange":"binance","candles":500}',
  );
});

Deno.test("nothing below the level is written", () => {
  const lines = linesOf({ level: "warning" }, () => {
    logger("a").debug("no");
    logger("a").info("no");
    logger("a").warning("yes");
    logger("b").error("yes");
    logger("b").fatal("yes");
  });
  assert.deepEqual(lines.map((line) => (JSON.parse(line) as Line).level), [
    "warning",
    "error",
    "fatal",
  ]);
});

Deno.test("a later set-up takes the place of an earlier one", () => {
  const early = linesOf({}, () => {});
  const late = linesOf({}, () => logger("a").info("now"));
  assert.deepEqual([early.length, late.length], [0, 1]);
});

Deno.test("placeholders are filled as plain text", () => {
  const line = jsonOf({}, () => {
    logger("a").info("{n} of {symbol} {o}", { n: 5, symbol: "BTC/USDT", o: { a: 1 } });
  });
  assert.equal(line.message, '5 of BTC/USDT {"a":1}');
});

Deno.test("a property that bears a fixed name is renamed and hides nothing", () => {
  const line = jsonOf({}, () => {
    logger("a").info("m", { message: "other", level: 5, time: 1, logger: 2, toString: 3 });
  });
  assert.deepEqual(
    [line.message, line.level, line.message_, line.level_, line.time_, line.logger_],
    ["m", "info", "other", 5, 1, 2],
  );
  assert.equal(line.toString, 3);
});

Deno.test("a classified error is told with kind and causes, without stacks", () => {
  const error = new FetchError("no answer", { cause: new TypeError("socket hang up") });
  assert.deepEqual(jsonOf({}, () => logger("a").warning("Page failed", { error })).error, {
    name: "FetchError",
    message: "no answer",
    kind: "transient",
    cause: { name: "TypeError", message: "socket hang up" },
  });
});

Deno.test("an error nobody classified is told with its place", () => {
  const line = jsonOf({}, () => logger("a").error("Bug", { error: new TypeError("boo") }));
  assert.match(String(line.error?.stack), /log_test\.ts/);
});

Deno.test("secrets are hidden in messages, values, names, errors and by their property's name", () => {
  hideSecrets(["hunter2-hunter2"]);
  const cause = new Error("password=abcabc");
  const error = new FetchError("GET postgres://u:hunter2-hunter2@h", { cause });
  for (const format of ["json", "pretty"] as const) {
    const text = linesOf({ format }, () => {
      logger("a").info("with hunter2-hunter2 and {half}-hunter2", {
        half: "hunter2",
        "hunter2-hunter2": 1,
        list: ["x hunter2-hunter2", { deep: new URL("http://u:abcabc@h/?token=abcabc") }],
        apiKey: "abcabc",
        options: { secret: { nested: "abcabc" } },
        error,
      });
    }).join("\n");
    assert.doesNotMatch(text, /hunter2-hunter2|abcabc/, format);
    assert.match(text, /GET postgres:\/\/u:\*\*\*@h/);
  }
});

Deno.test("whatever is logged makes one valid line and never throws", () => {
  const circular: Record<string, unknown> = { n: 1 };
  circular.self = circular;
  const line = jsonOf({}, () => {
    logger("a").info("odd", {
      circular,
      big: 10n ** 30n,
      nan: NaN,
      date: new Date(0),
      badDate: new Date(NaN),
      map: new Map<unknown, number>([["a", 1], [Object.create(null), 2]]),
      set: new Set([1, 2]),
      symbol: Symbol("s"),
      unset: undefined,
      fn: () => 1,
      nothing: null,
      nested: {
        get trap(): string {
          throw new Error("trapped");
        },
      },
    });
  });
  const { time: _time, nested, circular: _circular, ...others } = line;
  assert.deepEqual(others, {
    level: "info",
    logger: "a",
    message: "odd",
    big: "1000000000000000000000000000000",
    nan: "NaN",
    date: "1970-01-01T00:00:00.000Z",
    badDate: "Invalid Date",
    map: { a: 1, "[object Object]": 2 },
    set: [1, 2],
    symbol: "Symbol(s)",
    nothing: null,
  });
  assert.equal((nested as { trap: { message: string } }).trap.message, "trapped");
});

Deno.test("long texts and lists are cut, and say by how much", () => {
  const line = jsonOf({}, () => {
    logger("a").info("long", {
      text: "x".repeat(5_000),
      list: Array.from({ length: 150 }, (_, i) => i),
      error: new FetchError("y".repeat(5_000)),
    });
  });
  assert.equal(line.text, `${"x".repeat(4_096)}… 904 more characters`);
  assert.deepEqual((line.list as unknown[]).slice(-2), [99, "… 50 more"]);
  assert.match(String(line.error?.message), /^y{4096}… 904 more characters$/);
});

/** What our own colours are made of. */
// deno-lint-ignore no-control-regex -- The escape is what is looked for.
const COLOR = /\x1b\[[\d;]+m/g;

const hostile = "BTC\x1b[2J\x9b31m\r\nfake line\u202e\u2028\x07\x00\x7f";

Deno.test("control characters from outside stay within their line and cannot reach the terminal", () => {
  const error = new TypeError(hostile);
  error.stack = `TypeError: x\n    at ${hostile.replace("\n", "")} (x.ts:1:1)`;
  for (const format of ["json", "pretty"] as const) {
    for (const colors of [false, true]) {
      const lines = linesOf({ format, colors }, () => {
        logger("a").error(`message ${hostile}`, { [hostile]: 1, symbol: hostile, error });
      });
      assert.equal(lines.length, 1);
      // Our own colours and the line breaks before stack frames are the only ones left.
      const text = lines[0]!.replace(colors ? COLOR : /$^/, "").replaceAll("\n    at ", "");
      assert.doesNotMatch(text, /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u, `${format} ${colors}`);
      assert.match(text, /fake line/);
    }
  }
});

Deno.test("a hostile text comes back whole from a JSON line", () => {
  assert.equal(jsonOf({}, () => logger("a").info("m", { symbol: hostile })).symbol, hostile);
});

Deno.test("the pretty form is a line a record, with properties as name=value", () => {
  const [text = "", ...others] = linesOf({ format: "pretty" }, () => {
    logger("ingest").info("Page written", {
      symbol: "BTC/USDT",
      candles: 500,
      why: "two words",
      error: new FetchError("no answer", { cause: new TypeError("hang up") }),
    });
  });
  assert.deepEqual(others, []);
  assert.match(text, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /);
  assert.match(
    text,
    / info +ingest +Page written symbol=BTC\/USDT candles=500 why="two words" error=FetchError \(transient\): no answer ← TypeError: hang up$/,
  );
});

Deno.test("the pretty form says once what an error repeats of its cause", () => {
  const cause = new Error("GET /markets failed", { cause: new Error("no such host") });
  const [text = ""] = linesOf({ format: "pretty" }, () => {
    const error = new FetchError("Cannot load: GET /markets failed", { cause });
    logger("a").error("Away", { error });
  });
  const [line = ""] = text.split("\n");
  assert(line.endsWith(": Cannot load: GET /markets failed ← Error: no such host"), line);
});

Deno.test("the pretty form puts the stack of an unforeseen error below its line", () => {
  const [text = ""] = linesOf({ format: "pretty" }, () => {
    logger("a").error("Bug", { error: new TypeError("boo") });
  });
  assert.match(text, /Bug error=TypeError: boo\n {4}at .*log_test\.ts/);
});

Deno.test("the pretty form is coloured only when asked", () => {
  const log = (): void => logger("a").info("m");
  const [plain = ""] = linesOf({ format: "pretty" }, log);
  const [colored = ""] = linesOf({ format: "pretty", colors: true }, log);
  assert(!plain.includes("\x1b"));
  assert(colored.includes("\x1b["));
});

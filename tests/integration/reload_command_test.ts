/** What `titan10 reload` says of what the daemon answers, where that has a server for its database. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { serveHttp } from "../../lib/serve/http_server.ts";
import type { ReloadAnswer } from "../../lib/serve/reload_answer.ts";
import type { Answers } from "../../lib/serve/routes.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";

const TOKEN = "0123456789abcdef-titan10";

const NOTHING = { ok: true, added: [], removed: [], changed: [], needsRestart: [] } as const;

interface Scene {
  readonly reload: (
    env?: Readonly<Record<string, string>>,
    args?: readonly string[],
  ) => Promise<CommandResult>;
}

/** A daemon of which only its answer to a reload is needed. */
async function withDaemon(
  answer: ReloadAnswer,
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const server = serveHttp({ reload: () => Promise.resolve(answer) } as unknown as Answers, {
    hostname: "127.0.0.1",
    port: 0,
    token: TOKEN,
    log: logger("test"),
    clock: systemClock,
    page: [],
  });
  const usual = {
    DATABASE_URL: "postgres://nobody@127.0.0.1:9/none",
    HTTP_PORT: new URL(server.url).port,
    HTTP_TOKEN: TOKEN,
  };
  const reload: Scene["reload"] = (env = {}, args = []) =>
    runInProcess(["reload", ...args], { ...usual, ...env });
  try {
    await test({ reload });
  } finally {
    await server.stop();
  }
}

Deno.test("what a reload has changed is told in at most 80 columns", () => {
  const many = "binance, kraken and 18 more: symbols SOL/USDT, DOGE/USDT, XRP/USDT added; " +
    "ETH/USDT removed";
  const answer = { ...NOTHING, added: ["gate"], changed: [many], needsRestart: ["HTTP_PORT"] };
  return withDaemon(answer, async ({ reload }) => {
    const { code, stdout, stderr } = await reload();
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(stdout.split("\n"), [
      "Reloaded:",
      "  added         gate",
      "  changed       binance, kraken and 18 more: symbols SOL/USDT, DOGE/USDT,",
      "                XRP/USDT added; ETH/USDT removed",
      "  needs restart HTTP_PORT",
    ]);
    assert.deepEqual(JSON.parse((await reload({}, ["--json"])).stdout), answer);
  });
});

Deno.test("that nothing is different is told, too", () =>
  withDaemon(NOTHING, async ({ reload }) => {
    const { code, stdout } = await reload();
    assert.deepEqual([code, stdout], [0, "Reloaded: nothing has changed."]);
  }));

Deno.test("a reload that is refused ends with 1 and all problems", () =>
  withDaemon({ ok: false, problems: ["titan10.yaml:3:3 one", "two"] }, async ({ reload }) => {
    const { code, stdout, stderr } = await reload();
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(
      stderr,
      "Not reloaded. The daemon keeps its old settings:\ntitan10.yaml:3:3 one\ntwo",
    );
  }));

Deno.test("a daemon that is not there, wants another token, or cannot be found by faulty settings: 1, and what to do", () =>
  withDaemon(NOTHING, async ({ reload }) => {
    const stranger = await reload({ HTTP_TOKEN: `${TOKEN}-other` });
    assert.equal(stranger.code, 1);
    assert.match(stranger.stderr.replaceAll("\n", " "), /it answered 401: .*HTTP_TOKEN/);
    const faulty = await reload({ RETRY_MAX: "soon" });
    assert.equal(faulty.code, 1);
    assert.match(faulty.stderr, /RETRY_MAX="soon".*\nNothing was reloaded/s);
    const gone = await reload({ HTTP_PORT: "9" });
    assert.equal(gone.code, 1);
    assert.match(
      gone.stderr.replaceAll("\n", " "),
      /^Cannot reach the daemon at http:.*does it run/i,
    );
    assert(gone.stderr.split("\n").every((line) => line.length <= 80), gone.stderr);
  }));

/** What the page's chart gives to take along: as a file, as SQL and as commands that a shell runs. @module */
import assert from "node:assert/strict";
import { findChromium, startChromium, type Tab } from "../support/chromium.ts";
import { commandLine, withDirectory } from "../support/program.ts";
import { type RichArchive, serveRichArchive } from "../support/rich_archive.ts";

const CHROMIUM = await findChromium();
const SKIPPED = CHROMIUM === undefined
  ? " (skipped: no Chromium on PATH, CHROMIUM names none)"
  : "";

const ROWS = `document.querySelectorAll("#series-rows tr")`;

const TOKEN = "0123456789abcdef-titan10";

/** What a shell, SQL, CSV, a URL and a file system each take for something else. */
const ODD_SYMBOL = "O'B \"$HOME\" &;`x`\\#%+?/US'D";

Deno.test({
  name:
    `what a chart gives to take along is what titan10 export writes, whatever the market is called${SKIPPED}`,
  ignore: CHROMIUM === undefined,
  fn: (t) =>
    withPage(({ archive, browser }) =>
      withDirectory(async (folder) => {
        const { database: { sql }, databaseUrl } = archive;
        await sql`update checkpoints set symbol = ${ODD_SYMBOL} where exchange = 'binance'`;
        await sql`update ohlcv_1m set symbol = ${ODD_SYMBOL} where exchange = 'binance'`;
        const tab = await browser.open(archive.server.url, { savesTo: folder });
        await t.step("a token that is wrong is said to be, and the right one opens", () =>
          logIn(tab));
        await tab.evaluate(
          `[...document.querySelectorAll(".open")].find((one) => one.textContent === ${
            JSON.stringify(ODD_SYMBOL)
          }).click()`,
        );
        await tab.until(`document.querySelector("#take-sql")?.textContent`);
        await tab.until(`document.querySelector("#chart-gaps li")`);
        const texts = await tab.evaluate<Readonly<Record<string, string>>>(
          `Object.fromEntries([...document.querySelectorAll("#chart-take code")].map(({ id, textContent }) => [id, textContent]))`,
        );
        assert.doesNotMatch(await tab.evaluate(`document.body.textContent`), /0123456789abcdef/);
        await tab.evaluate(`document.querySelector("#take-csv").click()`);
        const saved = await fileIn(folder, tab);
        const lines = saved.trimEnd().split("\n");
        assert.ok(lines.length > 100, `${lines.length} lines`);
        await t.step("the SQL reads as many candles", async () => {
          assert.equal((await sql.unsafe(texts["take-sql"]!)).length, lines.length - 1);
        });
        await t.step("curl gets them, with the token of the environment", async () => {
          const { candles } = JSON.parse(
            await shell(texts["take-curl"]!, { HTTP_TOKEN: TOKEN }, folder),
          );
          assert.equal(candles.length, lines.length - 1);
          assert.equal(candles[0].close, lines[1]!.split(",").at(-3));
        });
        await t.step({
          name: "titan10 export writes the same file",
          // The embedded database is held by this process, which answers on no unix socket.
          ignore: databaseUrl === undefined,
          fn: async () => {
            await Deno.mkdir(`${folder}/export`);
            await shell(
              texts["take-export"]!,
              { DATABASE_URL: databaseUrl ?? "" },
              `${folder}/export`,
            );
            assert.equal(await fileIn(`${folder}/export`), saved);
          },
        });
        await t.step("each button says what was copied", async () => {
          for (const name of ["SQL", "curl", "titan10"]) {
            const button =
              `document.querySelector('#chart-take [aria-label^="${name}:"], #chart-take [aria-label="Copy ${name}"]')`;
            await tab.evaluate(`${button}.click()`);
            await tab.until(`/^(Copied|Selected)$/.test(${button}.textContent)`);
          }
          assert.equal(await tab.evaluate(`getSelection().toString()`), texts["take-export"]);
        });
      })
    ),
});

async function logIn(tab: Tab): Promise<void> {
  await tab.until(`document.activeElement.id === "token"`);
  await tab.press("x");
  await tab.press("Enter");
  await tab.until(
    `document.querySelector("#token-hint").textContent .startsWith("This token is wrong")`,
  );
  // It is selected, so that the next one replaces it.
  for (const key of TOKEN) await tab.press(key);
  await tab.press("Enter");
  await tab.until(`${ROWS}.length > 0`);
}

/** The file that appears, complete. */
async function fileIn(folder: string, tab?: Tab): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && /^binance_.*\.csv$/.test(name)) {
        return await Deno.readTextFile(`${folder}/${name}`);
      }
    }
  };
  for (let looks = 0; looks < 200 && tab !== undefined && await find() === undefined; looks++) {
    await tab.evaluate("new Promise((done) => requestAnimationFrame(done))");
  }
  return await find() ?? assert.fail("nothing was saved");
}

/** Runs a copied text as a user does, with `titan10` on the way. */
async function shell(
  text: string,
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<string> {
  const words = commandLine().map((word) => `'${word}'`).join(" ");
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", `titan10() { ${words} "$@"; }\n${text}`],
    cwd,
    env: { ...env, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, `${text}\n${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

interface Scene {
  readonly archive: RichArchive;
  readonly browser: Awaited<ReturnType<typeof startChromium>>;
}

async function withPage(use: (scene: Scene) => Promise<void>): Promise<void> {
  const archive = await serveRichArchive({
    exchanges: ["binance"],
    symbols: ["BTC/USDT"],
    timeframes: ["1m"],
    token: TOKEN,
  });
  assert.ok(archive !== undefined);
  const browser = await startChromium(CHROMIUM!);
  try {
    await use({ archive, browser });
  } finally {
    await browser.close();
    await archive.close();
  }
}

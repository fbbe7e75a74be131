/** Secrets that are in files, and what is said of files that others can read or change. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readConfig, settingTexts } from "../../lib/config/config.ts";
import { fileHints } from "../../lib/config/file_rights.ts";
import { readReferencedFiles, readSecretFiles } from "../../lib/config/secret_file.ts";
import { runInProcess } from "../support/shell.ts";

const TOKEN = "hunter2-hunter2-hunter2";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "titan10-test-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("every variable that may be secret can be in a file, without its final line break", () =>
  withFolder(async (folder) => {
    const contents: Readonly<Record<string, string>> = {
      DATABASE_URL: "postgres://titan@db.example/archive\n",
      PGPASSWORD: `${TOKEN}\r\n`,
      HTTP_TOKEN: `${TOKEN}\n`,
      AWS_ACCESS_KEY_ID: "id\n",
      AWS_SECRET_ACCESS_KEY: `${TOKEN}\n`,
      AWS_SESSION_TOKEN: "session\n",
      ALERT_WEBHOOK_URL: "https://hooks.example/x",
      EXCHANGE_PROXY_URL: "https://proxy.example/",
      EXCHANGE_KRAKEN: `{\n  "apiKey": "a",\n  "secret": "line one\\nline two"\n}\n`,
    };
    const env: Record<string, string> = { EXCHANGES: "kraken" };
    for (const [name, text] of Object.entries(contents)) {
      env[`${name}_FILE`] = join(folder, name);
      await Deno.writeTextFile(join(folder, name), text);
    }
    const files = await readSecretFiles(settingTexts({ env }));
    const config = readConfig({ env, files }, { knownExchanges: ["kraken"], isCron: () => true });
    assert.equal(
      config.databaseUrl,
      `postgres://titan@db.example/archive?password=${TOKEN}`,
    );
    assert.equal(config.httpToken, TOKEN);
    const { accessKeyId, secretAccessKey, sessionToken } = config.s3;
    assert.deepEqual([accessKeyId, secretAccessKey, sessionToken], ["id", TOKEN, "session"]);
    assert.equal(config.alertWebhookUrl, "https://hooks.example/x");
    assert.equal(config.exchangeProxyUrl, "https://proxy.example/");
    assert.deepEqual(config.exchangeOptions, {
      kraken: { apiKey: "a", secret: "line one\nline two" },
    });
  }));

const REFERS = 'exchanges: { kraken: { options: { apiKey: "${KRAKEN_KEY}" } } }\n';

Deno.test("what titan10.yaml refers to can be in a file, without its final line break", () =>
  withFolder(async (folder) => {
    const settings = join(folder, "titan10.yaml");
    const key = join(folder, "key");
    await Deno.writeTextFile(settings, `${REFERS}# "\${NOT_USED}" is a comment\n`);
    await Deno.writeTextFile(key, `${TOKEN}\n`);
    const args = ["config", "--json", "--config", settings];
    const env = { KRAKEN_KEY_FILE: key, NOT_USED_FILE: join(folder, "none") };
    const { code, stdout, stderr } = await runInProcess(args, env);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /"EXCHANGE_KRAKEN","value":"\*\*\*"/);
    const { texts } = await readReferencedFiles(REFERS, env);
    assert.deepEqual(texts, { KRAKEN_KEY: TOKEN });
    const bad: readonly (readonly [env: Readonly<Record<string, string>>, says: RegExp])[] = [
      [{}, /expected the environment or \.env to set KRAKEN_KEY or KRAKEN_KEY_FILE$/m],
      [
        { KRAKEN_KEY_FILE: "/nowhere/key" },
        /expected KRAKEN_KEY_FILE="\/nowhere\/key" to name a file that holds KRAKEN_KEY; there is none$/m,
      ],
      [{ KRAKEN_KEY_FILE: folder }, /holds KRAKEN_KEY; it is a directory$/m],
      [
        { KRAKEN_KEY_FILE: TOKEN },
        /KRAKEN_KEY_FILE="\*\*\*" to name a file that holds KRAKEN_KEY; there is none$/m,
      ],
      [
        { KRAKEN_KEY_FILE: key, KRAKEN_KEY: TOKEN },
        /expected one of KRAKEN_KEY and KRAKEN_KEY_FILE to be set, not both$/m,
      ],
    ];
    for (const [env, says] of bad) {
      const { code, stderr } = await runInProcess(args, env);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /titan10\.yaml:1:43 exchanges\.kraken\.options="\*\*\*": /);
      assert.match(stderr, says);
      assert(!stderr.includes(TOKEN));
    }
    await Deno.writeTextFile(key, "\n");
    assert.match((await runInProcess(args, env)).stderr, /holds KRAKEN_KEY; it is empty$/m);
  }));

interface BadFile {
  /** The text of the file; undefined makes none. */
  readonly text?: string | Uint8Array;
  /** @default HTTP_TOKEN_FILE */
  readonly variable?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly says: RegExp;
}

const BAD: Readonly<Record<string, BadFile>> = {
  "is not there": {
    says:
      /HTTP_TOKEN_FILE=".*\/token": expected the path of a file that holds HTTP_TOKEN; there is none$/m,
  },
  "is empty": { text: "", says: /holds HTTP_TOKEN; it is empty$/m },
  "holds a line break alone": { text: "\n", says: /holds HTTP_TOKEN; it is empty$/m },
  "is larger than any secret": {
    text: "x".repeat(65 * 1024),
    says: /holds HTTP_TOKEN; it is larger than 64 KiB$/m,
  },
  "is no text": { text: new Uint8Array([0xff, 0xfe, 0]), says: /it is not text in UTF-8$/m },
  "holds what is no token": { text: "hunter2\n", says: /HTTP_TOKEN="\*\*\*": expected 16 to 512/ },
  "is beside the variable itself": {
    text: TOKEN,
    env: { HTTP_TOKEN: TOKEN },
    says: /HTTP_TOKEN="\*\*\*": expected one of HTTP_TOKEN and HTTP_TOKEN_FILE, not both/,
  },
  "is a directory": {
    env: { HTTP_TOKEN_FILE: "." },
    says: /holds HTTP_TOKEN; it is a directory$/m,
  },
  "is a device": { env: { HTTP_TOKEN_FILE: "/dev/zero" }, says: /HTTP_TOKEN; it is not a file$/m },
  "is in a folder of the system": {
    env: { HTTP_TOKEN_FILE: "/proc/self/environ" },
    says: /HTTP_TOKEN; "\/proc\/self\/environ" is in a folder of the system, .* Use another path$/m,
  },
  "is the secret itself, by mistake": {
    env: { HTTP_TOKEN_FILE: TOKEN },
    says:
      /HTTP_TOKEN_FILE="\*\*\*": expected the path of a file that holds HTTP_TOKEN; there is none$/m,
  },
  "is of an exchange that is none": {
    text: "{}",
    variable: "EXCHANGE_KRAKNE_FILE",
    says: /EXCHANGE_KRAKNE="\*\*\*": expected EXCHANGE_<ID> .*did you mean EXCHANGE_KRAKEN\?/,
  },
};

Deno.test("a file of a secret that cannot be used ends the program with 2, and a sentence", (t) =>
  withFolder(async (folder) => {
    for (
      const [name, { text, variable = "HTTP_TOKEN_FILE", env = {}, says }] of Object.entries(BAD)
    ) {
      await t.step(`it ${name}`, async () => {
        const path = join(folder, "token");
        await Deno.remove(path).catch(() => {});
        if (typeof text === "string") await Deno.writeTextFile(path, text);
        else if (text !== undefined) await Deno.writeFile(path, text);
        const { code, stderr } = await runInProcess(["status"], { [variable]: path, ...env });
        assert.equal(code, 2, stderr);
        assert.match(stderr, says);
        assert.doesNotMatch(stderr, /hunter2/);
      });
    }
  }));

Deno.test("of files that others can change or read, each is named with the command that mends it", () =>
  withFolder(async (folder) => {
    const path = join(folder, "file");
    await Deno.writeTextFile(path, "x");
    const hint = async (mode: number, holdsSecrets: boolean): Promise<string | undefined> => {
      await Deno.chmod(path, mode);
      return (await fileHints([{ path, holdsSecrets }]))[0];
    };
    for (const mode of [0o600, 0o640, 0o400]) assert.equal(await hint(mode, true), undefined);
    assert.equal(await hint(0o644, false), undefined);
    assert.equal(
      await hint(0o644, true),
      `${path} holds secrets, and every user can read it (mode 0644). Run chmod o-r ${path}`,
    );
    for (const mode of [0o622, 0o660, 0o602]) {
      assert.match(await hint(mode, false) ?? "", /can be changed by other users .* chmod go-w /);
    }
    assert.deepEqual(await fileHints([{ path: join(folder, "none"), holdsSecrets: true }]), []);
  }));

/** The daemon keeps a dataset: in a bucket, then, after a reload, in a folder. @module */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { type FaultyS3, withFaultyS3 } from "../support/faulty_s3.ts";
import { assertCode, run, start, withArchiveDirectory } from "../support/program.ts";
import { until } from "../support/until.ts";

const SYMBOL = "BTC/USDT";
const PREFIX = "archive";
const SESSION_TOKEN = "session/token+0123456789";

/** The files of candles, by path, with what tells their bytes. */
type Files = ReadonlyMap<string, string>;

Deno.test("the daemon keeps the dataset of DATASET_URL as export would write it, and shows no key", async () => {
  const exchange = await startLocalExchange({ clock: systemClock });
  try {
    await withFaultyS3((bucket) =>
      withArchiveDirectory(async (cwd) => {
        const { settings } = bucket;
        const env = {
          EXCHANGES: "binance",
          SYMBOLS: SYMBOL,
          TIMEFRAMES: "1d",
          // No candle comes in between, also where the test runs at midnight.
          BACKFILL: "1d:2023-01-01..2024-03-01",
          POLL_CRON: "0 0 29 2 *",
          LIVE: "off",
          HTTP_PORT: "0",
          LOG_FORMAT: "json",
          LOG_LEVEL: "debug",
          RETRY_MIN: "1ms",
          RETRY_MAX: "1ms",
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
          AWS_ACCESS_KEY_ID: settings.accessKeyId!,
          AWS_SECRET_ACCESS_KEY_FILE: `${cwd}/key`,
          AWS_SESSION_TOKEN: SESSION_TOKEN,
          AWS_REGION: settings.region!,
          AWS_ENDPOINT_URL_S3: settings.endpoint,
          DATASET_CRON: "* * * * * *",
        };
        await Deno.writeTextFile(`${cwd}/key`, `${settings.secretAccessKey}\n`);
        await Deno.writeTextFile(`${cwd}/.env`, `DATASET_URL=s3://${bucket.bucket}/${PREFIX}\n`);
        const said: string[] = [];
        const command = async (...args: readonly string[]): Promise<string> => {
          const ended = await run(args, { cwd, env });
          assertCode(ended, 0);
          said.push(ended.stdout, ended.stderr);
          return ended.stdout.trimEnd();
        };
        // The first runs fail, and the server repeats what it knows: it must go on by itself, and tell nothing of that.
        let failures = 10;
        bucket.fault = ({ headers }) => {
          if (failures-- <= 0) return undefined;
          const sent = `${headers.get("x-amz-security-token")} ${headers.get("authorization")}`;
          const message = `your key is ${settings.secretAccessKey}, and you sent ${sent}`;
          return { status: 503, code: "SlowDown", message };
        };
        const daemon = start(["run"], { cwd, env });
        try {
          await daemon.waitFor(
            /"job failed".*"job":"dataset".*SlowDown: .*your key is \*\*\*, and you sent \*\*\* /,
          );
          await daemon.waitFor(/"message":"job done".*"job":"backfill"/);
          await until("all months", () => filesOf(bucket).size >= 14, {
            instead: () => [
              [...bucket.objects.keys()],
              daemon.stderr().split("\n").filter((line) => line.includes("dataset")).slice(-8),
            ],
          });
          const { checks } = JSON.parse(await command("doctor", "--json"));
          assert.deepEqual(
            checks.filter(({ check }: { readonly check: string }) => check === "dataset"),
            [{
              check: "dataset",
              ok: true,
              message: `s3://${bucket.bucket}/${PREFIX} can be written`,
              isHint: false,
            }],
          );
          const { jobs } = JSON.parse(await command("status", "--json"));
          const [job] = jobs.filter(({ job }: { readonly job: string }) => job === "dataset");
          assert.equal(job?.lastOutcome === "failure", false, JSON.stringify(job));
          assert(Date.parse(job.nextStart) > 0);
          // Unchanged months are not sent again.
          await until("runs that find nothing to write", () => runsWithoutPut(bucket) > 2, {
            instead: () => [
              bucket.asked.slice(-25).map(({ what, key }) => what + " " + key),
              daemon.stderr().split("\n").filter((line) => line.includes("dataset")).slice(-4),
            ],
          });
          assert(filesOf(bucket).size >= 15, "the months of the backfill, and that of the polls");

          await Deno.writeTextFile(`${cwd}/.env`, "DATASET_URL=./kept\n");
          daemon.kill("SIGHUP");
          await until("a folder", async () => {
            return (await filesIn(`${cwd}/kept`)).size >= filesOf(bucket).size;
          });
          assert.match(await command("config"), /DATASET_URL +\.\/kept +\.env/);
        } finally {
          daemon.kill("SIGTERM");
          assert.equal((await daemon.ended).code, 143, daemon.stderr());
        }
        await command("export", "--dataset", "exported");
        const exported = await filesIn(`${cwd}/exported`);
        assert(exported.size >= 14);
        assert.deepEqual(await filesIn(`${cwd}/kept`), exported);
        assert.deepEqual(filesOf(bucket), exported);
        // And by the command into a bucket.
        await command("export", "--dataset", `s3://${bucket.bucket}/by-hand`);
        assert.deepEqual(filesOf(bucket, "by-hand"), exported);
        for (const text of [daemon.stdout(), daemon.stderr(), ...said]) {
          for (const secret of [settings.secretAccessKey!, settings.accessKeyId!, SESSION_TOKEN]) {
            assert(!text.includes(secret), secret);
          }
        }
      })
    );
  } finally {
    await exchange.close();
  }
});

/** How many runs there were after the last file was written: each begins with a list. */
function runsWithoutPut({ asked }: FaultyS3): number {
  const last = asked.findLastIndex(({ what }) => what.startsWith("PUT"));
  return asked.slice(last + 1).filter(({ what }) => what === "GET list").length;
}

function filesOf({ objects }: FaultyS3, prefix = PREFIX): Files {
  const all = [...objects].filter(([key]) => isCandles(key) && key.startsWith(`${prefix}/`));
  return sorted(all.map(([key, { bytes }]) => [key.slice(prefix.length + 1), hashOf(bytes)]));
}

async function filesIn(folder: string, under = ""): Promise<Files> {
  const found: [string, string][] = [];
  const entries = await Array.fromAsync(Deno.readDir(`${folder}/${under}`)).catch(() => []);
  for (const { name, isDirectory } of entries) {
    const path = `${under}${name}`;
    if (isDirectory) found.push(...await filesIn(folder, `${path}/`));
    else if (isCandles(path)) found.push([path, hashOf(await Deno.readFile(`${folder}/${path}`))]);
  }
  return sorted(found);
}

function isCandles(path: string): boolean {
  return /\/[^./][^/]*\.parquet$/.test(path);
}

function sorted(entries: readonly (readonly [string, string])[]): Files {
  return new Map([...entries].sort(([one], [other]) => one < other ? -1 : 1));
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

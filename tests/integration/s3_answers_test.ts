/** Answers of odd S3 servers and of proxies before them: none of them counts as more than it proves. @module */
import assert from "node:assert/strict";
import type { S3Settings } from "../../lib/config/s3_settings.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { type S3Place, s3Place } from "../../lib/transfer/s3_place.ts";
import { PART_BYTES } from "../../lib/transfer/s3_upload.ts";
import { type FaultyS3, type S3Fault, withFaultyS3 } from "../support/faulty_s3.ts";
import { testClock } from "../support/test_clock.ts";

const PATH = "timeframe=1m/exchange=binance/month=2024-03/candles.parquet";
const PAGE = "<html><p>Sign in to the network</p></html>";

function placeOf(
  { bucket, settings }: FaultyS3,
  more: Partial<S3Settings> = {},
): S3Place {
  return s3Place({ bucket, prefix: "archive" }, {
    settings: { ...settings, ...more },
    clock: testClock,
    random: () => 0,
    log: logger("test"),
    retry: { attempts: 3, minMs: 1, maxMs: 1 },
  });
}

async function put(place: S3Place, bytes: Uint8Array): Promise<void> {
  const output = await place.write(PATH);
  try {
    await output.write(bytes);
    await output.finish();
  } finally {
    await output.close();
  }
}

const short = new TextEncoder().encode("short");
const long = new Uint8Array(PART_BYTES + 5);

type Uploads = readonly [readonly [string, { readonly key: string }]];

/** Each request of this kind gets this answer. */
const answering = (what: string, fault: S3Fault): FaultyS3["fault"] => (asked) =>
  asked.what === what ? fault : undefined;

Deno.test("a list that is cut short or has no lengths is an error, and no list of fewer files", () =>
  withFaultyS3(async (server) => {
    const begin = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents>" +
      "<Key>archive/one</Key><Size>1</Size></Contents>";
    const lists = [
      `${begin}<Contents><Key>archive/t`,
      `${begin}<Contents><Key>archive/two</Key></Contents></ListBucketResult>`,
    ];
    for (const body of lists) {
      server.fault = answering("GET list", { status: 200, body });
      await assert.rejects(Array.fromAsync(placeOf(server).list()), /the answer is not S3's list/);
    }
  }));

Deno.test("a web page in the place of an answer is no proof that a file was written", () =>
  withFaultyS3(async (server) => {
    for (const [what, bytes] of [["PUT", short], ["POST complete", long]] as const) {
      server.fault = answering(what, { status: 200, body: PAGE });
      await assert.rejects(put(placeOf(server), bytes), /^Error: Cannot write .*not S3's/);
      assert.deepEqual([server.objects.size, server.uploads.size], [0, 0]);
    }
  }));

Deno.test("an upload that is finished is known by its mark, where the answer says nothing", () =>
  withFaultyS3(async (server) => {
    server.fault = ({ what, key }) => {
      if (what !== "POST complete") return undefined;
      const [[id, upload]] = [...server.uploads] as unknown as Uploads;
      server.objects.set(key, { bytes: long, mark: upload.key.split("\n")[1]! });
      server.uploads.delete(id);
      return { status: 200, body: "" };
    };
    await put(placeOf(server), long);
    assert.equal(server.objects.size, 1);
  }));

Deno.test("an error after many blanks is an error", () =>
  withFaultyS3(async (server) => {
    let answers = 0;
    const body = `${" ".repeat(2_000)}<Error><Code>InternalError</Code></Error>`;
    server.fault = ({ what }) =>
      what === "POST complete" && answers++ === 0 ? { status: 200, body } : undefined;
    await put(placeOf(server), long);
    assert.deepEqual([answers, server.objects.size], [2, 1]);
  }));

for (
  const [name, write] of [
    ["weakly", (tag: string) => `W/${tag}`],
    ["without quotes", (tag: string) => tag.slice(1, -1)],
  ] as const
) {
  Deno.test(`an ETag that one answer gives ${name} is the same file's`, () =>
    withFaultyS3(async (server) => {
      const place = placeOf(server);
      await place.replace("m.json", short, undefined);
      const tag = (await place.read("m.json"))!.version;
      server.fault = answering("GET", {
        status: 200,
        body: "short",
        headers: { etag: write(tag) },
      });
      const version = (await place.read("m.json"))?.version;
      server.fault = () => undefined;
      await place.replace("m.json", new TextEncoder().encode("other"), version);
      assert.equal(new TextDecoder().decode((await place.read("m.json"))?.bytes), "other");
    }));
}

Deno.test("no answer is asked for in packed form, and no signature holds that", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    await place.replace("m.json", short, undefined);
    await place.read("m.json");
    for (const { headers } of server.asked) {
      assert.equal(headers.get("accept-encoding"), "identity");
      assert.doesNotMatch(headers.get("authorization") ?? "", /accept-encoding/);
    }
  }));

Deno.test("a refusal without a document names the session that may have ended, or the clock", () =>
  withFaultyS3(async (server) => {
    const date = new Date(testClock.now()).toUTCString();
    const late = new Date(testClock.now() - 30 * 60_000).toUTCString();
    const says = async (status: number, sent: string, more = {}): Promise<string> => {
      server.fault = answering("HEAD", { status, body: "", headers: { date: sent } });
      return await placeOf(server, more).replace("m.json", short, undefined).then(String, String);
    };
    for (const status of [400, 403]) {
      const more = { sessionToken: "token" };
      assert.match(await says(status, date, more), /may have expired\. Set .*AWS_SESSION_TOKEN/);
      assert.match(await says(status, late), /clock is 30 min ahead of the server's/);
    }
    assert.match(await says(403, date), /access is denied\. The access key must be allowed/);
  }));

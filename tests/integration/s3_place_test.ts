/** A dataset's files in a bucket: written, replaced, listed and removed, by a server that fails. @module */
import assert from "node:assert/strict";
import type { Clock } from "../../lib/clock.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { type S3Place, s3Place } from "../../lib/transfer/s3_place.ts";
import { PART_BYTES } from "../../lib/transfer/s3_upload.ts";
import { type FaultyS3, type S3Fault, withFaultyS3 } from "../support/faulty_s3.ts";
import { PYTHON, withMoto } from "../support/moto_server.ts";
import { testClock } from "../support/test_clock.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { until } from "../support/until.ts";

const PREFIX = "archive/of & all+more";
const PATH = "timeframe=1m/exchange=binance/month=2024-03/a(1)'*!~.parquet";

type Server = Pick<FaultyS3, "settings" | "bucket">;

function placeOf(
  { settings, bucket }: Server,
  { signal, prefix = PREFIX, clock = testClock }: {
    readonly signal?: AbortSignal;
    readonly prefix?: string;
    readonly clock?: Clock;
  } = {},
): S3Place {
  return s3Place({ bucket, prefix }, {
    settings,
    clock,
    random: () => 0,
    log: logger("test"),
    retry: { attempts: 3, minMs: 1, maxMs: 1 },
    signal,
  });
}

async function put(place: S3Place, path: string, ...pieces: readonly Uint8Array[]): Promise<void> {
  const output = await place.write(path);
  try {
    for (const piece of pieces) await output.write(piece);
    await output.finish();
  } finally {
    await output.close();
  }
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && new TextDecoder().decode(bytes);
const long = new Uint8Array(2 * PART_BYTES + 5).map((_, at) => at % 251);

/** The first `times` requests of this kind fail so. */
function failing(what: string, fault: S3Fault, times = Infinity): FaultyS3["fault"] {
  let left = times;
  return (asked) => asked.what === what && left-- > 0 ? fault : undefined;
}

/** What both servers must do alike. */
async function walk(server: Server): Promise<void> {
  const place = placeOf(server);
  assert.equal(place.name, `s3://candles/${PREFIX}`);
  assert.equal(await place.read("manifest.json"), undefined);
  await place.replace("manifest.json", bytesOf("one"), undefined);
  const first = await place.read("manifest.json");
  assert.equal(textOf(first?.bytes), "one");
  await place.replace("manifest.json", bytesOf("two"), first?.version);
  assert.equal(textOf((await place.read("manifest.json"))?.bytes), "two");
  for (const version of [undefined, first?.version]) {
    await assert.rejects(
      () => place.replace("manifest.json", bytesOf("three"), version),
      /^Error: Cannot write the dataset s3:\/\/candles\/archive\/of & all\+more: another program has changed manifest\.json/,
    );
  }
  assert.equal(await place.keepsWritersApart(), true);
  await put(place, PATH, bytesOf("small"));
  await put(place, "long.parquet", long.subarray(0, 3), long.subarray(3));
  await put(placeOf(server, { prefix: "other" }), "beside", bytesOf("x"));
  assert.equal(Buffer.compare((await place.read("long.parquet"))!.bytes, long), 0);
  assert.equal(textOf((await place.read(PATH))?.bytes), "small");
  assert.equal(textOf(await place.slice(PATH, 1, 3)), "ma");
  assert.equal(textOf(await place.slice(PATH, 5, 5)), "");
  await assert.rejects(place.slice(PATH, 3, 8), /Cannot read s3:.*: it ends too early$/);
  const all = await Array.fromAsync(place.list());
  assert.deepEqual(
    new Map(all.map(({ path, bytes }) => [path, bytes])),
    new Map([
      ["long.parquet", long.length],
      ["manifest.json", 3],
      [PATH, 5],
    ]),
  );
  await place.remove("long.parquet");
  await place.remove("long.parquet");
  assert.equal(await place.read("long.parquet"), undefined);
}

Deno.test("a dataset's files are written, replaced, listed and removed in a bucket", () =>
  withFaultyS3(walk));

Deno.test({
  name: "moto, which checks signatures as Amazon does, takes the files of a dataset",
  ignore: PYTHON === "",
  fn: () => withMoto(walk),
});

Deno.test("a list that comes in pages is whole", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    const paths = Array.from({ length: 7 }, (_, index) => `a&b<${index}>`);
    for (const path of paths) await put(place, path, bytesOf(path));
    server.pageKeys = 3;
    const all = await Array.fromAsync(place.list());
    assert.deepEqual(all.map(({ path }) => path), paths);
    assert.equal(server.asked.filter(({ what }) => what === "GET list").length, 3);
  }));

Deno.test("what passes is asked again: errors of the server, throttling, cut connections", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    const faults: readonly S3Fault[] = [
      { status: 500, code: "InternalError" },
      { status: 503, code: "SlowDown", headers: { "retry-after": "0" } },
      { status: 429 },
      { status: 400, code: "RequestTimeout" },
      "before",
      "after",
    ];
    for (const fault of faults) {
      server.fault = failing("PUT", fault, 2);
      await put(place, PATH, bytesOf("kept"));
      server.fault = failing("GET", fault, 2);
      assert.equal(textOf((await place.read(PATH))?.bytes), "kept", JSON.stringify(fault));
      server.objects.clear();
    }
  }));

Deno.test("a long file goes in equal parts, and is there only when it is finished", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    const output = await place.write(PATH);
    await output.write(long);
    assert.equal(server.objects.size, 0);
    await output.finish();
    await output.close();
    const parts = server.asked.filter(({ what }) => what === "PUT part").map(({ bytes }) => bytes);
    assert.deepEqual(parts, [PART_BYTES, PART_BYTES, 5]);
    assert.equal(server.asked.some(({ what }) => what === "DELETE upload"), false);
    assert.equal(Buffer.compare(server.objects.get(`${PREFIX}/${PATH}`)!.bytes, long), 0);
  }));

Deno.test("each step of an upload in parts is repeated where its answer is lost", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    for (const what of ["PUT part", "POST complete"]) {
      server.fault = failing(what, "after", 1);
      await put(place, PATH, long);
      assert.equal(server.objects.get(`${PREFIX}/${PATH}`)!.bytes.length, long.length, what);
      assert.equal(server.uploads.size, 0);
      server.objects.clear();
    }
  }));

Deno.test("an upload whose parts the server has removed is no finished file", () =>
  withFaultyS3(async (server) => {
    server.fault = failing("POST complete", { status: 404, code: "NoSuchUpload" });
    await assert.rejects(put(placeOf(server), PATH, long), /the server has removed the parts/);
    // Another one's file under the same name does not count as ours.
    let answers = 0;
    server.fault = ({ what }) => {
      if (what !== "POST complete") return undefined;
      server.objects.set(`${PREFIX}/${PATH}`, { bytes: long, mark: "another" });
      return answers++ === 0 ? "before" : { status: 404, code: "NoSuchUpload" };
    };
    await assert.rejects(put(placeOf(server), PATH, long), /the server has removed the parts/);
  }));

Deno.test("an answer that begins well and ends with an error is a failure", () =>
  withFaultyS3(async (server) => {
    const body = `<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>`;
    server.fault = failing("POST complete", { status: 200, body }, 1);
    await put(placeOf(server), PATH, long);
    assert.equal(server.objects.size, 1);
    server.fault = failing("POST complete", { status: 200, body });
    await assert.rejects(put(placeOf(server), "other", long), /answered 500 InternalError$/);
    assert.equal(server.objects.size, 1);
  }));

Deno.test("a failed upload leaves no parts, nor does one that is stopped", () =>
  withFaultyS3(async (server) => {
    server.fault = failing("PUT part", { status: 500 });
    await assert.rejects(put(placeOf(server), PATH, long), /Cannot write s3:.* answered 500$/);
    assert.equal(server.uploads.size, 0);
    const stopping = new AbortController();
    server.fault = ({ what }) => {
      if (what === "PUT part") stopping.abort(new Error("stopped"));
      return undefined;
    };
    const place = placeOf(server, { signal: stopping.signal });
    await assert.rejects(put(place, PATH, long), /^Error: stopped$/);
    assert.equal(server.uploads.size, 0);
    assert.equal(server.objects.size, 0);
  }));

Deno.test("parts that a killed program left are removed after a day, and no others", () =>
  withFaultyS3(async (server) => {
    const parts = new Map<number, Uint8Array>();
    server.uploads.set("old", { key: `${PREFIX}/x`, parts, begun: "2001-01-01T00:00:00Z" });
    server.uploads.set("foreign", { key: "elsewhere/x", parts, begun: "2001-01-01T00:00:00Z" });
    server.uploads.set("new", { key: `${PREFIX}/y`, parts, begun: "2999-01-01T00:00:00Z" });
    await put(placeOf(server), PATH, long);
    assert.deepEqual([...server.uploads.keys()], ["foreign", "new"]);
  }));

Deno.test("a replacement whose answer was lost is known as our own", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    server.fault = failing("PUT", "after", 1);
    await place.replace("manifest.json", bytesOf("one"), undefined);
    const first = await place.read("manifest.json");
    server.fault = failing("PUT", "after", 1);
    await place.replace("manifest.json", bytesOf("two"), first?.version);
    assert.equal(textOf((await place.read("manifest.json"))?.bytes), "two");
  }));

Deno.test("another writer between look and replacement is found by the server", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    const key = `${PREFIX}/manifest.json`;
    server.fault = ({ what }) => {
      if (what === "PUT") server.objects.set(key, { bytes: bytesOf("theirs"), mark: null });
      return undefined;
    };
    await assert.rejects(
      place.replace("manifest.json", bytesOf("ours"), undefined),
      /another program has changed manifest\.json/,
    );
    assert.equal(textOf(server.objects.get(key)?.bytes), "theirs");
    // Not ours, although an attempt of our own had no answer.
    server.objects.clear();
    let attempts = 0;
    server.fault = ({ what }) => {
      if (what !== "PUT" || attempts++ > 0) return undefined;
      server.objects.set(key, { bytes: bytesOf("theirs"), mark: null });
      return "before";
    };
    await assert.rejects(
      place.replace("manifest.json", bytesOf("ours"), undefined),
      /another program has changed manifest\.json/,
    );
  }));

Deno.test("where a server knows no conditions, a file is replaced all the same, and other writers are seen", () =>
  withFaultyS3(async (server) => {
    const place = placeOf(server);
    const isConditional = (headers: Headers): boolean =>
      headers.has("if-match") || headers.has("if-none-match");
    for (
      const fault of [{ status: 501, code: "NotImplemented" }, {
        status: 400,
        code: "NotImplemented",
      }]
    ) {
      server.fault = ({ headers }) => isConditional(headers) ? fault : undefined;
      await place.replace("manifest.json", bytesOf("one"), undefined);
      const first = await place.read("manifest.json");
      await place.replace("manifest.json", bytesOf("two"), first?.version);
      await assert.rejects(
        place.replace("manifest.json", bytesOf("three"), first?.version),
        /another program has changed/,
      );
      assert.equal(await place.keepsWritersApart(), false);
      await place.remove("manifest.json");
    }
    server.fault = () => undefined;
    server.ignoresConditions = true;
    assert.equal(await place.keepsWritersApart(), false);
    assert.equal(server.objects.size, 0);
  }));

Deno.test("refusals say what to do, name the object, and repeat no document", () =>
  withFaultyS3(async (server) => {
    const late = { date: "Fri, 15 Mar 2024 13:00:30 GMT" };
    const cases: readonly (readonly [fault: S3Fault, says: RegExp])[] = [
      [
        { status: 403, code: "InvalidAccessKeyId" },
        /does not know this access key\. Check AWS_ACCESS_KEY_ID/,
      ],
      [{ status: 403, code: "SignatureDoesNotMatch" }, /Check AWS_SECRET_ACCESS_KEY/],
      [
        { status: 400, code: "ExpiredToken" },
        /expired or is not valid\. Set .*AWS_SESSION_TOKEN anew$/,
      ],
      [{ status: 403, code: "AccessDenied" }, /access is denied \(AccessDenied\).*s3:PutObject/],
      [
        { status: 403, code: "RequestTimeTooSkewed", headers: late },
        /clock is 30 min behind the server's\. Set it/,
      ],
      [
        { status: 404, code: "NoSuchBucket" },
        /there is no bucket candles at http:\/\/127\.0\.0\.1:\d+\. Make it/,
      ],
      [
        { status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "us-west-2" } },
        /the bucket is in the region us-west-2\. Set AWS_REGION=us-west-2$/,
      ],
      [
        {
          status: 400,
          body:
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></Error>",
        },
        /Set AWS_REGION=us-west-2$/,
      ],
      [{ status: 302, headers: { location: "http://elsewhere/" } }, /to another address \(302\)/],
      [{ status: 507, code: "XMinioStorageFull" }, /there is no room left/],
      [
        { status: 400, code: "InvalidRequest", message: "Bad &amp; odd" },
        /answered 400 InvalidRequest: "Bad & odd"$/,
      ],
      [
        {
          status: 404,
          body: "<html><p>Not here</p></html>",
          headers: { "content-type": "text/html" },
        },
        /answered 404 with a web page, which is not S3's\. Check AWS_ENDPOINT_URL_S3/,
      ],
    ];
    for (const [fault, says] of cases) {
      server.asked.length = 0;
      server.fault = () => fault;
      const error = await put(placeOf(server), PATH, bytesOf("x")).then(() => undefined, String);
      assert.match(error ?? "", says);
      assert.match(
        error ?? "",
        /^S3Error: Cannot write s3:\/\/candles\/archive\/of & all\+more\/timeframe=1m\//,
      );
      assert.doesNotMatch(error ?? "", /[<>]|secret|AKIA/);
      assert.equal(server.asked.length, 1, `${says} is not asked again`);
    }
  }));

Deno.test("a server that cannot be reached is said without the address of each request", async () => {
  const settings = await withFaultyS3(({ settings }) => Promise.resolve(settings));
  const place = placeOf({ settings, bucket: "candles" });
  await assert.rejects(() => place.read("manifest.json"), (error: Error) => {
    assert.match(
      error.message,
      /^Cannot read s3:\/\/candles\/archive\/of & all\+more\/manifest\.json: Connection refused$/,
    );
    return true;
  });
});

Deno.test("a server that does not answer is given up after a time, each attempt by itself", () =>
  withFaultyS3(async (server) => {
    const clock = new ManualClock();
    server.fault = failing("GET", "hang");
    const reading = placeOf(server, { clock }).read("manifest.json").catch(String);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await until("an attempt", () => server.asked.length === attempt);
      await clock.advance(150_000);
    }
    assert.match(String(await reading), /manifest\.json: no answer came within 150 s$/);
  }));

Deno.test("without credentials or region nothing is sent, and all that is missing is named", () => {
  const settings = {
    accessKeyId: undefined,
    secretAccessKey: undefined,
    sessionToken: undefined,
    region: undefined,
    endpoint: "http://user:pass@host",
  };
  assert.throws(() => placeOf({ settings, bucket: "candles" }), (error: Error) => {
    assert.deepEqual(error.message.match(/AWS_[A-Z0-9_]+(?=: expected)/g), [
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "AWS_REGION",
      "AWS_ENDPOINT_URL_S3",
    ]);
    assert.doesNotMatch(error.message, /user:pass/);
    return true;
  });
});

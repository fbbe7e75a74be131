/** The answers that docs/http.md shows have the shape of the daemon's own. @module */
import assert from "node:assert/strict";
import { serveRichArchive } from "../support/rich_archive.ts";
import { EventReader } from "../support/event_reader.ts";
import { passagesOf } from "../support/markdown.ts";

const DOCUMENT = await Deno.readTextFile(new URL("../../docs/http.md", import.meta.url));

/** Each `console` block with a `curl`, and the JSON block behind it. */
const EXAMPLES = passagesOf(DOCUMENT).flatMap(({ text, language }, at, all) => {
  const answer = all.slice(at + 1).find((passage) => passage.language !== undefined);
  const path = /^\$ curl -s "?http:\/\/127\.0\.0\.1:9464(\/[^"\s]*)/.exec(text)?.[1];
  return language === "console" && path !== undefined && answer?.language === "json"
    ? [{ path, shown: JSON.parse(answer.text) as unknown }]
    : [];
});

/** Each `console` block with a `curl` that goes on, and the text block behind it. */
const FEEDS = passagesOf(DOCUMENT).flatMap(({ text, language }, at, all) => {
  const shown = all.slice(at + 1).find((passage) => passage.language !== undefined);
  const path = /^\$ curl -sN "http:\/\/127\.0\.0\.1:9464(\/[^"\s]*)"/.exec(text)?.[1];
  return language === "console" && path !== undefined && shown?.language === "text"
    ? [{ path, shown: `${shown.text.trimEnd()}\n\n` }]
    : [];
});

Deno.test("docs/http.md shows answers as the daemon gives them", async () => {
  assert(EXAMPLES.length >= 4, `only ${EXAMPLES.length} examples were found`);
  const archive = await serveRichArchive({
    exchanges: ["binance"],
    symbols: ["BTC/USDT"],
    timeframes: ["1m"],
    databaseKind: "embedded",
  });
  assert(archive);
  try {
    await archive.database.sql`
      insert into funding_checkpoints (exchange, symbol) values ('binance', 'BTC/USDT:USDT')`;
    for (const { path, shown } of EXAMPLES) {
      const response: Response = await fetch(new URL(path, archive.server.url));
      const given: unknown = await response.json();
      assert.equal(response.status, 200, `${path}: ${JSON.stringify(given)}`);
      assert.deepEqual(shapeOf(shown), shapeOf(given), path);
    }
    assert.equal(FEEDS.length, 1);
    for (const { path, shown } of FEEDS) {
      const response: Response = await fetch(new URL(path, archive.server.url));
      const feed = new EventReader(response.body!);
      const given = await feed.one();
      const wanted = await new EventReader(new Response(shown).body!).one();
      assert.deepEqual(shapeOf(wanted), shapeOf(given), path);
      assert.deepEqual([wanted.kind, typeof wanted.id], [given.kind, typeof given.id]);
      await feed.leave();
      // As the bot reads it.
      const bot = new EventSource(new URL(path, archive.server.url));
      const { promise, resolve } = Promise.withResolvers<MessageEvent>();
      bot.addEventListener("candle", resolve);
      const { data, lastEventId } = await promise;
      bot.close();
      assert.deepEqual([JSON.parse(data), lastEventId], [given.data, given.id]);
    }
  } finally {
    await archive.close();
  }
});

/** All names in it, as paths: of a list its first element's. The names of `reasons` are values. */
function shapeOf(value: unknown, path = ""): readonly string[] {
  if (Array.isArray(value)) return value.length === 0 ? [] : shapeOf(value[0], `${path}[]`);
  if (value === null || typeof value !== "object" || path.endsWith(".reasons")) return [path];
  return Object.entries(value).flatMap(([name, one]) => shapeOf(one, `${path}.${name}`)).toSorted();
}

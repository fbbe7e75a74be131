/** A connection of a visitor, over a connection that the test makes. @module */
import assert from "node:assert/strict";
import process from "node:process";
import { type ConnectionHost, VisitorConnection } from "../../lib/serve/visitor_connection.ts";
import { type Answer, refusal } from "../../lib/serve/http_answer.ts";

const REQUEST = new TextEncoder().encode("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");

const THOUSANDS = 12;

Deno.test("a visitor that always sends one request ahead costs as much for the last ones as for the first", async () => {
  let arrive = (): void => {};
  let isFirst = true;
  const connection = {
    read(bytes: Uint8Array): Promise<number> {
      const { promise, resolve } = Promise.withResolvers<number>();
      arrive = (): void => {
        bytes.set(REQUEST);
        resolve(REQUEST.length);
      };
      if (isFirst) arrive();
      isFirst = false;
      return promise;
    },
    write: (bytes: Uint8Array): Promise<number> => Promise.resolve(bytes.length),
    close: (): void => {},
  } as Partial<Deno.Conn> as Deno.Conn;
  let answered = 0;
  /** Microseconds of the processor, at each thousand. */
  const usedAt: number[] = [];
  const host: ConnectionHost = {
    async answer(): Promise<Answer> {
      if (answered % 1_000 === 0) usedAt.push(process.cpuUsage().user);
      if (answered++ === THOUSANDS * 1_000) visitor.stop();
      await Promise.resolve();
      arrive();
      // What came is read ahead before there is an answer.
      for (let turns = 0; turns < 10; turns++) await Promise.resolve();
      return refusal(503, "none");
    },
    seconds: 0,
    date: "",
    next: () => 0,
    hasRoom: () => true,
    hold: () => {},
  };
  const visitor = new VisitorConnection(connection, "127.0.0.1", host);
  await visitor.serve();
  const costs = usedAt.slice(1).map((used, at) => used - usedAt[at]!);
  assert.equal(costs.length, THOUSANDS);
  const [first, last] = [costs.slice(0, 3), costs.slice(-3)].map((some) =>
    some.reduce((a, b) => a + b)
  );
  assert(last! < first! * 3, `microseconds a thousand: ${costs}`);
});

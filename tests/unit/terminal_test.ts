import assert from "node:assert/strict";
import { abilitiesOf, DrawnLines, painter } from "../../lib/cli/terminal.ts";

Deno.test("a terminal is coloured and drawn on, a pipe is neither", () => {
  assert.deepEqual(abilitiesOf(true, {}), { canRedraw: true, hasColor: true });
  assert.deepEqual(abilitiesOf(false, {}), { canRedraw: false, hasColor: false });
});

Deno.test("a dumb terminal cannot move, and the log of a CI is not watched", () => {
  assert.deepEqual(abilitiesOf(true, { TERM: "dumb" }), { canRedraw: false, hasColor: false });
  assert.deepEqual(abilitiesOf(true, { CI: "true" }), { canRedraw: false, hasColor: true });
  assert.equal(abilitiesOf(true, { CI: "false" }).canRedraw, true);
});

Deno.test("NO_COLOR beats FORCE_COLOR, which beats what the stream is", () => {
  const colors = (isTerminal: boolean, env: Record<string, string>): boolean =>
    abilitiesOf(isTerminal, env).hasColor;
  assert.equal(colors(true, { NO_COLOR: "1" }), false);
  assert.equal(colors(true, { NO_COLOR: "" }), true);
  assert.equal(colors(false, { FORCE_COLOR: "1" }), true);
  assert.equal(colors(true, { FORCE_COLOR: "0" }), false);
  assert.equal(colors(false, { FORCE_COLOR: "1", NO_COLOR: "1" }), false);
});

Deno.test("what is told stands above the drawn lines, which stay last", () => {
  const written: string[] = [];
  const below = new DrawnLines((text) => void written.push(text));
  below.tell("first");
  below.draw(["a", "b"]);
  below.tell("second");
  below.draw([]);
  below.tell("third");
  const up = "\x1b[2A\r\x1b[J";
  assert.deepEqual(written, ["first\n", "a\nb\n", `${up}second\na\nb\n`, up, "third\n"]);
});

Deno.test("what is printed to the same terminal stands above the drawn lines, too", () => {
  const written: string[] = [];
  const below = new DrawnLines((text) => void written.push(text));
  const print = (text: string): number => below.above(() => written.push(text));
  print("first\n");
  below.draw(["a", "b"]);
  print("second\n");
  assert.deepEqual(written, ["first\n", "a\nb\n", "\x1b[2A\r\x1b[J", "second\n", "a\nb\n"]);
});

Deno.test("paint leaves a text alone where colours are not wanted", () => {
  assert.equal(painter(false)("red", "text"), "text");
  assert.equal(painter(true)("red", "text"), "\x1b[31mtext\x1b[0m");
});

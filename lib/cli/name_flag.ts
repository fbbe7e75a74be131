/** Flags whose value is names. @module */
import { InvalidArgumentError } from "@commander-js/extra-typings";

/** Accepts both `a,b` and `--x a --x b`. */
export function nameFlag(text: string, previous: readonly string[] = []): readonly string[] {
  const all = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  if (all.length === 0) throw new InvalidArgumentError("expected names separated by commas");
  return [...previous, ...all];
}

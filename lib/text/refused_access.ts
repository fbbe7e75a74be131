/** Says in the program's own words that it was refused an access, without the advice that Deno gives. @module */

/**
 * What Deno says where a permission is missing: first as it is run from the sources, then as an executable. Its advice is
 * for those who write a program. This one has no flag that gives a permission.
 */
const REFUSAL =
  /Requires ([a-z]+) access(?: to ([^\n]{0,1100}?))?, (?:run again with the --allow-\w+ flag|specify the required permissions during compilation using `deno compile --allow-\w+`)/g;

/** Replaces what Deno says of refused accesses in a message by what holds for this program. */
export function withoutAdvice(text: string): string {
  return text.replace(
    REFUSAL,
    (_, kind: string, what = "") =>
      kind === "all"
        ? `${what} is in a folder of the system, and titan10 opens nothing in /dev, /proc and /sys. Use another path`
        : `titan10 has no permission for this (${kind}${
          what === "" ? "" : ` ${what}`
        }), and no flag gives it`,
  );
}

/** Refuses that a file which had settings has none any more: all that it set would go back to its default. @module */
import { printable } from "../text/printable.ts";
import { ConfigError } from "./config.ts";

/** @param options.names the files to judge: what other settings name is refused where it is read. @throws ConfigError */
export function refuseGone(
  before: readonly { readonly path: string }[],
  now: readonly { readonly path: string }[],
  { names }: { readonly names: readonly string[] },
): void {
  const gone = before.map(({ path }) => path).filter((path) =>
    names.includes(path) && now.every((file) => file.path !== path)
  );
  if (gone.length === 0) return;
  const allowed =
    "the settings that it had, and it is empty or not there now. Write it again, or " +
    "restart the daemon to go on without it";
  throw new ConfigError(
    gone.map((path) => ({ place: printable(path), variable: "", value: "", allowed })),
  );
}

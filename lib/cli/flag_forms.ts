/** Lets flags of names be written in the singular and in the plural: `--symbol` and `--symbols` are one. @module */
import { type Command, Option } from "@commander-js/extra-typings";

const NAMES = ["exchange", "symbol", "timeframe"] as const;

/** Adds the form that a command does not show. A plural that is repeated names all that its values name. */
export function acceptBothForms(command: Command): void {
  for (const singular of NAMES) {
    const forms = [`--${singular}`, `--${singular}s`];
    const shown = command.options.find(({ long }) => forms.includes(long ?? ""));
    const other = forms.find((form) => form !== shown?.long);
    if (shown === undefined || other === undefined) continue;
    if (shown.long !== forms[0] && shown.parseArg === undefined) shown.argParser(joined);
    const hidden = new Option(shown.flags.replace(/--\w+/, other)).hideHelp();
    // Both fill the same place, each value read as the shown form reads it.
    hidden.attributeName = () => shown.attributeName();
    if (shown.parseArg !== undefined) hidden.parseArg = shown.parseArg;
    command.addOption(hidden);
  }
}

function joined(text: string, before: unknown): string {
  return typeof before === "string" ? `${before},${text}` : text;
}

/** Explains why names that a command was given match nothing in the archive. @module */
import { nearest } from "./nearest.ts";

const FIELDS = ["exchange", "symbol", "timeframe"] as const;

type Field = (typeof FIELDS)[number];

/** A series by its names. */
type Named = Readonly<Partial<Record<Field, string>>>;

/** The names that were asked for. A field that is undefined or empty asks for all. */
type AskedNames = Readonly<Partial<Record<Field, readonly string[] | undefined>>>;

/** At most this many unknown names are explained, and this many known ones are suggested. */
const NAMES_MAX = 3;

/**
 * Why a name that was asked for matches no series, with the names that are similar: the name is in none, or in none
 * together with the other names. Undefined when every name matches.
 */
export function unknownNames(series: readonly Named[], asked: AskedNames): string | undefined {
  const unknown = FIELDS.flatMap((field) =>
    (asked[field] ?? []).filter((name) => !series.some((one) => one[field] === name)).map(
      (name) => {
        const names = namesOf(series, field);
        // Timeframes differ by one letter and are not alike.
        const similar = field === "timeframe" ? [] : nearest(name, names);
        const hint = similar.length > 0
          ? `. The nearest names: ${similar.join(", ")}`
          : names.length > 0
          ? `. Archived: ${shortened(names)}`
          : "";
        return `Nothing is archived of the ${field} ${name}${hint}`;
      },
    )
  );
  if (unknown.length > 0) return unknown.slice(0, NAMES_MAX).join("\n");
  for (const field of ["symbol", "exchange", "timeframe"] as const) {
    const others = FIELDS.filter((other) => other !== field && (asked[other] ?? []).length > 0);
    const beside = series.filter((one) =>
      others.every((other) => asked[other]?.includes(one[other] ?? "") === true)
    );
    const names = namesOf(beside, field);
    const lost = asked[field]?.find((name) => !names.includes(name));
    if (lost === undefined) continue;
    const of = others.map((other) => asked[other]?.join(", ")).join(" ");
    return `Nothing is archived of the ${field} ${lost} for ${of}. ${archivedText(names, lost)}`;
  }
  return undefined;
}

function archivedText(names: readonly string[], wanted: string): string {
  if (names.length === 0) return "Nothing is archived of these together";
  const similar = nearest(wanted, names);
  const others = names.filter((name) => !similar.includes(name));
  return `Archived there: ${shortened([...similar, ...others])}`;
}

function shortened(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return names.slice(0, NAMES_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function namesOf(series: readonly Named[], field: Field): readonly string[] {
  return [...new Set(series.flatMap((one) => one[field] ?? []))].sort();
}

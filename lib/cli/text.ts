/** How numbers, times and tables read on a terminal of 80 columns. @module */
import Table from "cli-table3";

/** `1234567` → `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** Seconds as `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Bytes as `512 B`, `1.5 MB`, `20 GB`, in powers of 1000. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  let left = value;
  while (left >= 999.5 && unit < units.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${left >= 10 || unit === 0 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}

/** ISO 8601 without seconds, `2024-01-01 00:00`; `–` for nothing. */
export function minute(iso: string | null): string {
  return iso === null ? "–" : iso.slice(0, 16).replace("T", " ");
}

/** Rows below a head, without lines: quick to read and to cut with awk. Numbers are aligned right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { numeric = [] }: { readonly numeric?: readonly number[] } = {},
): string {
  const drawn = new Table({
    head: [...head],
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
    colAligns: head.map((_, index) => numeric.includes(index) ? "right" : "left"),
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) drawn.push([...row]);
  return drawn.toString().split("\n").map((line) => line.trimEnd()).join("\n");
}

/** Words in lines of at most `columns`; a word that is longer is cut. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= columns) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    for (line = word; line.length > columns; line = line.slice(columns)) {
      lines.push(line.slice(0, columns));
    }
  }
  return [...lines, line];
}

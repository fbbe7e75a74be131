/** The program's version, from deno.json. @module */
import deno from "../deno.json" with { type: "json" };

/** As in `titan10 --version`. */
export const VERSION: string = deno.version;

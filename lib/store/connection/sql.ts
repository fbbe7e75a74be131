/** What statements are given to: a pool of postgres.js. @module */
import type postgres from "postgres";

// deno-lint-ignore ban-types -- the type that postgres.js gives to a pool without custom types.
export type Sql = postgres.Sql<{}>;

/** What statements are given to: a pool of postgres.js. @module */
import type postgres from "postgres";

// deno-lint-ignore ban-types -- the type that postgres.js gives to a pool without custom types.
export type Sql = postgres.Sql<{}>;

/** Runs statements on the present pool; what they throw becomes a `StoreError` that names the action. */
export type Run = <T>(action: string, statements: (sql: Sql) => Promise<T>) => Promise<T>;

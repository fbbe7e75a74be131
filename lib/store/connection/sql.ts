/** The type of the postgres.js pool that statements run on. @module */
import type postgres from "postgres";

// deno-lint-ignore ban-types -- the type that postgres.js gives to a pool without custom types.
export type Sql = postgres.Sql<{}>;

/** Runs statements on the current pool. Errors become a `StoreError` that names the action. */
export type Run = <T>(action: string, statements: (sql: Sql) => Promise<T>) => Promise<T>;

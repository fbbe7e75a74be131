/** The disk that the database is on, as far as it can be seen from here. @module */
import fs from "node:fs";
import type { Database } from "./connection/database.ts";

/** Bytes that this user can still write where a directory is. */
export async function freeBytes(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await fs.promises.statfs(directory);
    return bavail * bsize;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot see what is free on the disk of ${directory}: ${text}`, {
      cause: error,
    });
  }
}

/** Bytes that the database takes, all that is in it. */
export async function databaseBytes(database: Database): Promise<number> {
  return await database.run("read the size of the database", async (sql) => {
    const [row] = await sql<{ bytes: string }[]>`
      select pg_database_size(current_database())::text as bytes`;
    return Number(row?.bytes ?? 0);
  });
}

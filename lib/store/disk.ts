/** The disk that holds the database, as far as this process can see it. @module */
import fs from "node:fs";
import type { Database } from "./connection/database.ts";
import { errorText } from "../text/redact.ts";

/** Bytes that this user can still write on the disk of a directory. */
export async function freeBytes(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await fs.promises.statfs(directory);
    return bavail * bsize;
  } catch (error) {
    const text = errorText(error);
    throw new Error(`Cannot read the free space of the disk of ${directory}: ${text}`, {
      cause: error,
    });
  }
}

/** The size of the whole database in bytes. */
export async function databaseBytes(database: Database): Promise<number> {
  return await database.run("read the size of the database", async (sql) => {
    const [row] = await sql<{ bytes: string }[]>`
      select pg_database_size(current_database())::text as bytes`;
    return Number(row?.bytes ?? 0);
  });
}

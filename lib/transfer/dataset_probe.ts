/** Finds out whether a dataset can be written to its place, without writing one. @module */
import { join } from "node:path";
import { isS3Url } from "../config/s3_settings.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";
import { bucketOf, type PlaceGround } from "./open_place.ts";

/** What is found of a place that can be written. */
export interface PlaceFound {
  readonly message: string;
  /** Whether it could be better. */
  readonly isHint: boolean;
}

/** Writes a small file and removes it. @throws Error with what is wrong and what to do. */
export async function probePlace(url: string, ground: PlaceGround): Promise<PlaceFound> {
  if (!isS3Url(url)) {
    await probeFolder(url);
    return { message: `${url} can be written`, isHint: false };
  }
  return await bucketOf(url, ground).keepsWritersApart()
    ? { message: `${url} can be written`, isHint: false }
    : {
      message:
        `${url} can be written. This server does not keep two writers apart (If-None-Match): let ` +
        "only one program write this dataset",
      isHint: true,
    };
}

async function probeFolder(path: string): Promise<void> {
  const probe = join(path, `.titan10-${crypto.randomUUID()}.unfinished`);
  try {
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeFile(probe, new Uint8Array(), { createNew: true });
    await Deno.remove(probe);
  } catch (error) {
    const reason = fileReason(errorText(error));
    throw new Error(
      `Cannot write to ${path}: ${reason}. Correct DATASET_URL, or the rights of the folder`,
      {
        cause: error,
      },
    );
  }
}

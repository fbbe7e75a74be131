/** Opens the place of a dataset that a URL or a path names. @module */
import type { Config } from "../config/config.ts";
import { DATASET_PLACE_ALLOWED, isDatasetPlace } from "../config/dataset_setting.ts";
import { isS3Url, readS3Url } from "../config/s3_settings.ts";
import type { Archive } from "../archive/archive.ts";
import { type DatasetPlace, openFolder, type PlaceOptions } from "./dataset_place.ts";
import { type S3Place, s3Place } from "./s3_place.ts";

/** What a place needs beside its name. */
export interface PlaceGround extends Pick<Archive, "clock" | "random" | "log"> {
  readonly config: Pick<Config, "retry" | "s3">;
  /** Ends what is sent to a bucket. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A folder, or a bucket for `s3://bucket/prefix`. Close it.
 *
 * @throws Error when the folder cannot be written, when another process writes it, or when a bucket's credentials, region
 * or server are not set, or wrong.
 */
export async function openPlace(
  url: string,
  ground: PlaceGround,
  options?: PlaceOptions,
): Promise<DatasetPlace & AsyncDisposable> {
  if (!isDatasetPlace(url)) throw new Error(`Cannot use ${url}: expected ${DATASET_PLACE_ALLOWED}`);
  if (!isS3Url(url)) return await openFolder(url, ground.clock, options);
  return { ...bucketOf(url, ground), [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** @throws Error as {@linkcode openPlace}. */
export function bucketOf(url: string, { config, ...ground }: PlaceGround): S3Place {
  const address = readS3Url(url);
  if (address === undefined) {
    throw new Error(`Cannot use ${url}: expected ${DATASET_PLACE_ALLOWED}`);
  }
  const { s3: settings, retry } = config;
  return s3Place(address, { ...ground, settings, retry });
}

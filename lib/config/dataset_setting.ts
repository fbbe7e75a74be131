/** The settings `DATASET_URL` and `DATASET_CRON`: the dataset that the daemon keeps fresh. @module */
import { isS3Url, readS3Url, S3_URL_ALLOWED } from "./s3_settings.ts";
import * as read from "./setting.ts";

/** A folder, or a bucket: `s3://…`. Everything else with a scheme is refused. */
export function isDatasetPlace(text: string): boolean {
  return isS3Url(text)
    ? readS3Url(text) !== undefined
    : !/^~|\p{Cc}|^[a-z][a-z0-9+.-]*:\/\//iu.test(text);
}

export const DATASET_PLACE_ALLOWED = `a path, or ${S3_URL_ALLOWED}`;

/** Whether the dataset is a folder, for which files are written as long as the daemon runs. */
export function writesFolder({ datasetUrl }: { readonly datasetUrl: string | undefined }): boolean {
  return datasetUrl !== undefined && !isS3Url(datasetUrl);
}

export const DATASET_URL = {
  name: "DATASET_URL",
  meaning: "Dataset of Parquet files that the daemon keeps: a folder, or s3://bucket/prefix.",
  details: "None when unset. docs/datasets.md says what it consists of. A bucket is reached by " +
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and " +
    "AWS_ENDPOINT_URL_S3, as Amazon's tools read them; each of the first three can be in a file, " +
    "such as AWS_SECRET_ACCESS_KEY_FILE.",
  read: () => read.textThat(DATASET_PLACE_ALLOWED, isDatasetPlace).optional(),
  completion: { kind: "directory" },
} as const;

export const DATASET_CRON = {
  name: "DATASET_CRON",
  default: "15 3 * * *",
  meaning: "When to bring the dataset of DATASET_URL up to date, as five cron fields in UTC.",
} as const;

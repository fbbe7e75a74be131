/**
 * moto's S3, which checks signatures as Amazon does. TITAN10_PYTHON names a Python that has moto:
 * `python3 -m venv py && py/bin/pip install 'moto[s3,server]'`, then `TITAN10_PYTHON=py/bin/python`. Tried with 5.2.5.
 * @module
 */
import type { S3Settings } from "../../lib/config/s3_settings.ts";

/** Empty where there is none. */
export const PYTHON = Deno.env.get("TITAN10_PYTHON") ?? "";

export interface MotoServer {
  readonly settings: S3Settings & { readonly endpoint: string };
  /** Has a bucket of this name, and no other. */
  readonly bucket: string;
  /** The variables by which Amazon's tools, and ours, reach it. */
  readonly env: Readonly<Record<string, string>>;
}

/** The first three requests are not checked: they make the user and the key. */
const PROGRAM = `
import json, logging, os, sys
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
import boto3
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel("ERROR")
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
region, url = "eu-central-1", f"http://127.0.0.1:{port}"
def client(name, id, key):
    return boto3.client(name, endpoint_url=url, region_name=region, aws_access_key_id=id, aws_secret_access_key=key)
iam = client("iam", "any", "any")
iam.create_user(UserName="writer")
made = iam.create_access_key(UserName="writer")["AccessKey"]
id, key = made["AccessKeyId"], made["SecretAccessKey"]
allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="writer", PolicyName="all", PolicyDocument=json.dumps(allowed))
s3 = client("s3", id, key)
s3.create_bucket(Bucket="candles", CreateBucketConfiguration={"LocationConstraint": region})
print(json.dumps({"endpoint": url, "region": region, "accessKeyId": id, "secretAccessKey": key}), flush=True)
sys.stdin.read()
os._exit(0)
`;

/** Runs it for the length of `use`. */
export async function withMoto<T>(use: (server: MotoServer) => Promise<T>): Promise<T> {
  const process = new Deno.Command(PYTHON, {
    args: ["-c", PROGRAM],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    env: { NO_PROXY: "127.0.0.1" },
  }).spawn();
  try {
    const said = await firstLine(process.stdout);
    const settings = { sessionToken: undefined, ...JSON.parse(said) } as MotoServer["settings"];
    const env = {
      AWS_ACCESS_KEY_ID: settings.accessKeyId!,
      AWS_SECRET_ACCESS_KEY: settings.secretAccessKey!,
      AWS_REGION: settings.region!,
      AWS_ENDPOINT_URL_S3: settings.endpoint,
    };
    return await use({ settings, bucket: "candles", env });
  } finally {
    await process.stdin.close();
    await process.status;
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break;
  }
  if (text === "") throw new Error("moto did not start");
  return text;
}

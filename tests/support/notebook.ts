/** A notebook, executed from its first to its last cell. @module */
import assert from "node:assert/strict";
import { PYTHON } from "./moto_server.ts";

export interface ExecutedNotebook {
  /** What the cells have printed. */
  readonly text: string;
  /** Pictures that they have drawn, as PNG. */
  readonly pictures: readonly Uint8Array[];
}

const PROGRAM = `
import json, sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
print(json.dumps({
    "text": "".join(output.get("text", "") for output in outputs),
    "pictures": [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})],
}))
`;

/** Executes it with nothing in its environment but what it is given. It must not fail. */
export async function executeNotebook(
  path: URL,
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<ExecutedNotebook> {
  const { success, stdout, stderr } = await new Deno.Command(PYTHON, {
    args: ["-c", PROGRAM, path.pathname],
    cwd,
    // What IPython and matplotlib keep is removed with the directory.
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: cwd,
      IPYTHONDIR: `${cwd}/ipython`,
      MPLCONFIGDIR: `${cwd}/matplotlib`,
      NO_PROXY: "127.0.0.1",
      ...env,
    },
    clearEnv: true,
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { text, pictures } = JSON.parse(new TextDecoder().decode(stdout));
  return { text, pictures: pictures.map((base64: string) => Uint8Array.fromBase64(base64.trim())) };
}

/** Tries, with the permissions it is started with, what the program may not do. Prints what was not refused, as JSON. @module */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import process from "node:process";

/** Not written where they are loaded from: the house rules would refuse that. */
const HOSTS = { own: "https://127.0.0.1:9", known: "https://deno.land" } as const;

const link = await Deno.makeTempFile();
await Deno.remove(link);
await Deno.symlink("/proc/self/status", link);
const library = await Deno.makeTempFile({ suffix: ".node" });

const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  "runs a program": () => new Deno.Command("/bin/true").output(),
  "runs a program as Node does": () =>
    new Promise((resolve, reject) => spawn("/bin/true").on("error", reject).on("exit", resolve)),
  "sends a signal to another process": () => Deno.kill(Deno.ppid, "SIGCONT"),
  "loads a native library": () => Deno.dlopen(library, {}),
  "loads a native module of Node": () => process.dlopen({ exports: {} }, library),
  "reads addresses of the machine": () => Deno.networkInterfaces(),
  "reads addresses of the machine as Node does": () => networkInterfaces(),
  "reads the load of the machine": () => Deno.loadavg(),
  "reads the memory of the machine": () => Deno.systemMemoryInfo(),
  "opens the machine's memory": () => Deno.open("/dev/mem"),
  "opens a device as Node does": () => readFile("/dev/mem"),
  "reads its own memory": () => Deno.open("/proc/self/mem"),
  "reads its environment from the kernel": () => Deno.open("/proc/self/environ"),
  "opens a file of the kernel by a link": () => Deno.open(link),
  "changes a setting of the kernel": () =>
    Deno.open("/proc/sys/kernel/core_pattern", { write: true }),
  "changes a setting of a device": () => Deno.open("/sys/power/state", { write: true }),
  "imports code from a host": () => import(`${HOSTS.own}/titan10.js`),
  "imports code from a well-known host": () => import(`${HOSTS.known}/std/version.ts`),
  "runs code of a host in a worker": () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(`${HOSTS.own}/titan10.js`, { type: "module" });
      worker.onmessage = resolve;
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    }),
};

/** What cannot be had by asking either. */
const NEVER: readonly Deno.PermissionDescriptor[] = [
  { name: "run" },
  { name: "ffi" },
  { name: "import" },
  { name: "sys" },
];

const REFUSED = /^Requires import access|--no-remote is specified/m;

const done: Record<string, string> = {};
for (const [name, attempt] of Object.entries(ATTEMPTS)) {
  try {
    await attempt();
    done[name] = "done";
  } catch (error) {
    const isRefused = error instanceof Deno.errors.NotCapable ||
      (error instanceof Error && REFUSED.test(error.message.replace(/^.*\) (?=Req)/, "")));
    if (!isRefused) done[name] = String(error);
  }
}
for (const permission of NEVER) {
  const { state } = await Deno.permissions.request(permission);
  if (state !== "denied") done[`asks for ${permission.name}`] = state;
}
for (const path of [library, link]) await Deno.remove(path);
console.log(JSON.stringify(done));
Deno.exit();

/** What this machine is called. @module */

/** Files that exist in containers of Docker, Podman and Kubernetes. */
const CONTAINER_SIGNS = [
  "/.dockerenv",
  "/run/.containerenv",
  "/var/run/secrets/kubernetes.io",
] as const;

const ID_FILE = "/etc/machine-id";

/** What all containers are called here, see {@linkcode ownHost}. */
const ANY_CONTAINER = "container";

let known: string | undefined;

/**
 * The name of this machine, by which it is known that two processes share its address. A container has another name each
 * time that it is made, and shares the address of its machine with others, so that its name proves nothing: all containers
 * count as one machine, until the configuration says otherwise. `this-machine` where the name may not be known.
 */
export function ownHost(): string {
  known ??= CONTAINER_SIGNS.some(exists) ? ANY_CONTAINER : machineName() ?? "this-machine";
  return known;
}

/** Whether this is a container: an address of its own says nothing of processes in others of the same name. */
export function isContainer(): boolean {
  return ownHost() === ANY_CONTAINER;
}

/**
 * By which it is known that a process has taken the place of another one of the same machine: its name and, where it has one,
 * the number that systemd gives to an installation, since machines may have one name. Undefined where the name may not be known.
 */
export function placeName(): string | undefined {
  const name = machineName();
  return name === undefined ? undefined : [machineId(), name].filter(Boolean).join(" ");
}

function machineId(): string {
  try {
    if (Deno.permissions.querySync({ name: "read", path: ID_FILE }).state !== "granted") return "";
    return Deno.readTextFileSync(ID_FILE).trim();
  } catch {
    return "";
  }
}

/** The name that the system gives to this machine, or to this container. */
export function machineName(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() || undefined : undefined;
}

function exists(path: string): boolean {
  try {
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return false;
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What this machine is called. @module */

/** Files that exist in containers of Docker, Podman and Kubernetes. */
const CONTAINER_SIGNS = [
  "/.dockerenv",
  "/run/.containerenv",
  "/var/run/secrets/kubernetes.io",
] as const;

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

/**
 * The name by which processes of one machine know each other: what does not answer at an address of it has ended. Undefined in
 * containers, which may have one name and are apart, and where the name may not be known.
 */
export function placeName(): string | undefined {
  return ownHost() === ANY_CONTAINER ? undefined : machineName();
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

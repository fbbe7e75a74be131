/** Servers that repeat what they are sent, and tell secrets that they should not know. @module */

/** Every way in which something that repeats a secret may write it. */
export function spellingsOf(secret: string): readonly string[] {
  const percent = encodeURIComponent(secret);
  const bytes = [...new TextEncoder().encode(secret)];
  return [
    secret,
    percent,
    percent.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase()),
    encodeURIComponent(percent),
    new URLSearchParams({ s: secret }).toString().slice(2),
    JSON.stringify(secret),
    JSON.stringify(JSON.stringify(secret)),
    bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    `"${secret.replaceAll('"', '""')}"`,
    secret.toUpperCase(),
    secret.replace(/\s+/g, " "),
    base64(secret),
    base64(`user:${secret}`),
  ];
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** Secrets by name, told one after another. */
export class Telltale {
  readonly #secrets: readonly (readonly [name: string, secret: string])[];
  #next = 0;
  /** The names of all that were told. */
  readonly told = new Set<string>();

  constructor(secrets: Readonly<Record<string, string>>) {
    this.#secrets = Object.entries(secrets);
  }

  /** The next few of them, in every spelling. */
  tell(count: number): readonly string[] {
    return Array.from({ length: count }, () => {
      const [name, secret] = this.#secrets[this.#next++ % this.#secrets.length]!;
      this.told.add(name);
      return spellingsOf(secret).join(" ");
    });
  }
}

export interface Echo {
  /** Host and port. */
  readonly origin: string;
  close(): Promise<void>;
}

/** Whatever it is asked for, it fails, and repeats all that was said to it. */
export function startEcho(telltale: Telltale): Echo {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const headers = JSON.stringify(Object.fromEntries(request.headers));
      const text = `you sent ${request.url} with ${headers} ${await request.text()} ` +
        telltale.tell(8).join(" ");
      return new Response(text, { status: 500, statusText: "Broken" });
    },
  );
  return { origin: `127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
}

/** A database server that asks for the password, and refuses it by repeating it with all else that it was sent. */
export function startEchoDatabase(telltale: Telltale): Echo {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const serve = async (connection: Deno.Conn): Promise<void> => {
    open.add(connection);
    try {
      const bytes = new Uint8Array(65_536);
      const read = async (): Promise<string> => {
        const count = await connection.read(bytes) ?? 0;
        return new TextDecoder().decode(bytes.subarray(0, count));
      };
      const settings = (await read()).replaceAll("\0", " ");
      await connection.write(message("R", new Uint8Array([0, 0, 0, 3])));
      // Behind a type and a length, before a zero.
      const password = (await read()).slice(5, -1);
      const text = `you sent ${spellingsOf(password).join(" ")} ${telltale.tell(8).join(" ")} ` +
        `with ${settings}`;
      const fields = ["SFATAL", "VFATAL", "C28P01", `M${text}`, `D${text}`, ""].join("\0");
      await connection.write(message("E", new TextEncoder().encode(`${fields}\0`)));
    } catch {
      // The program hung up.
    } finally {
      open.delete(connection);
      connection.close();
    }
  };
  const serving = (async (): Promise<void> => {
    const all: Promise<void>[] = [];
    for await (const connection of listener) all.push(serve(connection));
    await Promise.all(all);
  })();
  return {
    origin: `127.0.0.1:${listener.addr.port}`,
    close: async () => {
      listener.close();
      for (const connection of open) connection.close();
      await serving;
    },
  };
}

/** A message of PostgreSQL's protocol: its type, its length, its content. */
function message(type: string, content: Uint8Array): Uint8Array {
  const whole = new Uint8Array(5 + content.length);
  whole[0] = type.charCodeAt(0);
  new DataView(whole.buffer).setUint32(1, 4 + content.length);
  whole.set(content, 5);
  return whole;
}

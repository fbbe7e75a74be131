/** A headless Chromium, driven by the DevTools protocol over its WebSocket. @module */
import { systemClock } from "../../lib/clock.ts";

export interface Browser {
  /** Opens a page in a profile of its own; what happens in it is told from its first byte on. */
  open(url: string, options?: TabOptions): Promise<Tab>;
  close(): Promise<void>;
}

export interface TabOptions {
  /** CSS pixels. @default 1440 */
  readonly width?: number;
  /** CSS pixels. @default 900 */
  readonly height?: number;
  readonly isDark?: boolean;
  readonly isPhone?: boolean;
  /** The folder that what the page saves goes to. @default none: nothing is saved */
  readonly savesTo?: string;
  /** Runs before the page's own scripts. */
  readonly script?: string;
}

export interface Tab {
  /** Errors on the console and those nobody caught, blocked requests among them. */
  readonly errors: readonly string[];
  /** The URL of every request. */
  readonly requests: readonly string[];
  /** The value of an expression, through JSON; promises are awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** Resolves when an expression is true. Looks again and again. */
  until(expression: string, options?: { readonly patienceMs?: number }): Promise<void>;
  /** Loads the page again. Resolves when it is the new one. */
  reload(): Promise<void>;
  /** Presses and releases a key, `Tab`, `Enter`, `a`. */
  press(key: string, options?: { readonly isShifted?: boolean }): Promise<void>;
  /** PNG. */
  screenshot(): Promise<Uint8Array>;
}

/** What Chromium says of a page that another one is taking the place of. */
const NAVIGATING = /Inspected target navigated|context was destroyed|Cannot find context/;

/** So that a test that fails ends. */
const PATIENCE_MS = 30_000;

const NAMES = ["chromium", "chromium-browser", "google-chrome", "headless_shell"];

/** Where a Chromium is: CHROMIUM, or by one of its names on PATH; undefined when there is none. */
export async function findChromium(): Promise<string | undefined> {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const candidates = [
    Deno.env.get("CHROMIUM") ?? "",
    ...folders.flatMap((folder) => NAMES.map((name) => `${folder}/${name}`)),
  ];
  for (const path of candidates) {
    const found = path !== "" && await Deno.stat(path).then((file) => file.isFile, () => false);
    if (found) return path;
  }
}

/** Starts it with a profile that is removed afterwards. */
export async function startChromium(path: string): Promise<Browser> {
  const profile = await Deno.makeTempDir({ prefix: "titan10-chromium-" });
  const child = new Deno.Command(path, {
    args: [
      "--headless=new",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      // Whoever runs tests as root has no sandbox; the page is ours.
      "--no-sandbox",
      "--no-first-run",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--hide-scrollbars",
      "about:blank",
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const devtools = await Devtools.connect(await readUrl(child.stderr));
  return {
    open: (url, options = {}) => openTab(devtools, url, options),
    async close(): Promise<void> {
      await devtools.send("Browser.close").catch(() => {});
      devtools.close();
      await child.status;
      await Deno.remove(profile, { recursive: true }).catch(() => {});
    },
  };
}

/** Reads on after the URL has come: a full pipe would halt the browser. */
function readUrl(stderr: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const read = async (): Promise<void> => {
      let text = "";
      for await (const part of stderr.pipeThrough(new TextDecoderStream())) {
        text = (text + part).slice(-100_000);
        const url = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
        if (url !== undefined) resolve(url);
      }
      reject(new Error(`Cannot start Chromium: ${text}`));
    };
    void read();
  });
}

type Parameters = Readonly<Record<string, unknown>>;
type Listener = (method: string, params: Parameters) => void;

/** One WebSocket; each tab is a session on it. */
class Devtools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Parameters>>();
  readonly #listeners = new Map<string, Listener>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error, method, params, sessionId } = JSON.parse(data);
      if (id === undefined) return this.#listeners.get(sessionId)?.(method, params);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(JSON.stringify(error)));
    });
    socket.addEventListener("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("Chromium has ended"));
      this.#waiting.clear();
    });
  }

  static async connect(url: string): Promise<Devtools> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", reject, { once: true });
    });
    return new Devtools(socket);
  }

  // deno-lint-ignore no-explicit-any -- the protocol's own answers.
  send(method: string, params: Parameters = {}, sessionId?: string): Promise<any> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<Parameters>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return answer.promise;
  }

  listen(sessionId: string, listener: Listener): void {
    this.#listeners.set(sessionId, listener);
  }

  close(): void {
    this.#socket.close();
  }
}

async function openTab(devtools: Devtools, url: string, options: TabOptions): Promise<Tab> {
  const { browserContextId } = await devtools.send("Target.createBrowserContext");
  if (options.savesTo !== undefined) {
    await devtools.send("Browser.setDownloadBehavior", {
      behavior: "allow",
      browserContextId,
      downloadPath: options.savesTo,
    });
  }
  const { targetId } = await devtools.send("Target.createTarget", {
    url: "about:blank",
    browserContextId,
  });
  const { sessionId } = await devtools.send("Target.attachToTarget", { targetId, flatten: true });
  const send: Devtools["send"] = (method, params) => devtools.send(method, params, sessionId);
  const errors: string[] = [];
  const requests: string[] = [];
  // deno-lint-ignore no-explicit-any -- the protocol's own events.
  devtools.listen(sessionId, (method, params: any) => {
    if (method === "Network.requestWillBeSent") requests.push(params.request.url);
    else if (method === "Log.entryAdded" && params.entry.level === "error") {
      errors.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    } else if (method === "Runtime.exceptionThrown") {
      errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    } else if (method === "Runtime.consoleAPICalled" && params.type === "error") {
      errors.push(JSON.stringify(params.args));
    }
  });
  const { width = 1440, height = 900, isDark = false, isPhone = false, script = "" } = options;
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride", {
    width,
    height,
    deviceScaleFactor: 1,
    mobile: isPhone,
  });
  await send("Emulation.setEmulatedMedia", {
    features: [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }],
  });
  await send("Page.addScriptToEvaluateOnNewDocument", { source: script });
  await send("Page.navigate", { url });
  return { errors, requests, ...commandsOf(send) };
}

function commandsOf(
  send: Devtools["send"],
): Pick<Tab, "evaluate" | "until" | "reload" | "press" | "screenshot"> {
  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails === undefined) return result.value;
    throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
  };
  const isSo = async (expression: string): Promise<boolean> => {
    try {
      return await evaluate(`document.readyState === "complete" && Boolean(${expression})`);
    } catch (error) {
      if (error instanceof Error && NAVIGATING.test(error.message)) return false;
      throw error;
    }
  };
  const until: Tab["until"] = async (expression, { patienceMs = PATIENCE_MS } = {}) => {
    const endMs = systemClock.now() + patienceMs;
    while (!await isSo(expression)) {
      if (systemClock.now() > endMs) throw new Error(`In vain waited until ${expression}`);
      await systemClock.sleep(20);
    }
  };
  return {
    evaluate,
    until,
    async reload(): Promise<void> {
      await evaluate("globalThis.isBefore = true");
      await send("Page.reload");
      await until("globalThis.isBefore === undefined");
    },
    async press(key, { isShifted = false } = {}): Promise<void> {
      const code = KEYS[key];
      const event = {
        key,
        code: key,
        modifiers: isShifted ? 8 : 0,
        ...(code === undefined ? { text: key } : { windowsVirtualKeyCode: code.code }),
        ...(code?.text === undefined ? {} : { text: code.text }),
      };
      await send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
      await send("Input.dispatchKeyEvent", { ...event, type: "keyUp", text: undefined });
    },
    async screenshot(): Promise<Uint8Array> {
      const { data } = await send("Page.captureScreenshot", { format: "png" });
      return Uint8Array.fromBase64(data);
    },
  };
}

/** Keys that are not letters, by the number Windows knows them by. */
const KEYS: Readonly<Record<string, { readonly code: number; readonly text?: string }>> = {
  Tab: { code: 9 },
  Enter: { code: 13, text: "\r" },
  Escape: { code: 27 },
  End: { code: 35 },
  ArrowLeft: { code: 37 },
  ArrowRight: { code: 39 },
};

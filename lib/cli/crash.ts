/** Ends the program on an uncaught error, so that it can be started again. @module */
import { logger } from "../telemetry/log.ts";
import { redactError } from "../text/redact.ts";
import { EXIT } from "./shell.ts";

/**
 * Makes every uncaught error, also one of a library, end the process with exit code 1. It is logged, and a last message
 * is printed. A supervisor then starts the process again. If the process continued, part of its work might have stopped
 * unnoticed.
 */
export function endOnCrash(tell: (text: string) => void): void {
  const end = (error: unknown): never => {
    // The log redacts the secrets of the configuration, once it is set up.
    logger("crash").fatal("an error that nobody caught", { error });
    tell(`Cannot go on: an error that nobody caught: ${redactError(error).message}`);
    Deno.exit(EXIT.failed);
  };
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    end(event.error);
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    end(event.reason);
  });
}

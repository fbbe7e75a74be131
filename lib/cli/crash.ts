/** What the program does about an error that nobody caught: it says so and ends, to be started again. @module */
import { logger } from "../telemetry/log.ts";
import { redactError } from "../text/redact.ts";
import { EXIT } from "./shell.ts";

/**
 * Has every error that nobody catches, a library's included, end the process with exit code 1, a line in the log and a
 * last sentence: whoever supervises it starts it again, while a process that went on might have lost half its work.
 */
export function endOnCrash(tell: (text: string) => void): void {
  const end = (error: unknown): never => {
    // The log knows the secrets of the configuration, where there is one.
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

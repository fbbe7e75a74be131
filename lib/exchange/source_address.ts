/** Whether requests can leave from an address. @module */
import { errorText } from "../text/redact.ts";

/** Why nothing can leave from an address; undefined when this machine has it. */
export function lackOfAddress(address: string): string | undefined {
  try {
    // Which addresses there are is not asked: that would need a permission.
    Deno.listen({ hostname: address, port: 0 }).close();
    return undefined;
  } catch (error) {
    return error instanceof Deno.errors.AddrNotAvailable
      ? "this machine does not have it"
      : errorText(error);
  }
}

/** Says what the operating system and the network answered, without the words of what asked them. @module */

/** Where the text of Deno's `fetch` repeats its own layers: `client error (Connect): tcp connect error: …`. */
const LAYERS =
  /(?:error sending request (?:for url \([^)\n]{0,2000}\)|from [^\n]{0,300}?\)): )?client error \(\w+\): (?:(?:tcp connect|dns) error: )?/g;

const LOOKUP = /failed to lookup address information: [^\n]{1,200}$/;

/** `(os error 111)` means nothing on another system, and the words before it say the same. */
const NUMBER = / \(os error \d{1,6}\)/g;

/** What Deno adds to an error of a file: its own call and the path, `: open 'a.csv'`. */
const CALL = /: [a-z_]{2,20} '[^\n]*'$/;

/** Why a request got no answer. An error of Deno's `fetch` says so in its cause. */
export function networkReason(error: Error): string {
  const { message } = error.cause instanceof Error ? error.cause : error;
  return message.replace(LAYERS, "").replace(NUMBER, "")
    .replace(
      LOOKUP,
      "no address is known for this name: there is no network or no DNS, or it is misspelt",
    );
}

/** Why a file could not be used. The caller names it: the path here may be a temporary one. */
export function fileReason(text: string): string {
  return text.replace(CALL, "").replace(NUMBER, "");
}

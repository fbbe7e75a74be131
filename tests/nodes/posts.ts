/** Whether a webhook was told of each event once. @module */

type Post = Readonly<Record<string, unknown>>;

/** Sentences about alerts that were told of more than once, in the order of the posts. */
export function toldTwice(posts: readonly Post[]): readonly string[] {
  const told = new Map<string, unknown>();
  const twice: string[] = [];
  for (const post of posts) {
    const subject = ["alert", "exchange", "symbol", "timeframe"].map((name) => post[name]);
    const name = subject.filter((part) => part !== null).join(" ");
    // An alert that has ended may begin again; it is told of as ended only after it began.
    if (told.get(name) === post["state"] || (!told.has(name) && post["state"] === "resolved")) {
      twice.push(`the webhook was told again that ${name} is ${post["state"]}`);
    }
    told.set(name, post["state"]);
  }
  return twice;
}

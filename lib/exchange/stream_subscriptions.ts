/** The subscriptions of one connection: what is wanted, asked for, in force and refused. @module */
import type { Asking, StreamDialect, Told, Topic } from "./stream_dialect.ts";

interface SubscriptionsOptions {
  readonly now: () => number;
  readonly onAgreed: (topic: string) => void;
  readonly onRefused: (topic: string, why: string) => void;
}

/** A subscription that was sent, with the number of the message. */
interface Sent {
  readonly id: string;
  /** Whether the message was about this topic only. */
  readonly isAlone: boolean;
  /** How long it has been asked for, or refused. Milliseconds. */
  forMs: number;
}

type State =
  | { readonly kind: "wanted"; readonly isAlone: boolean }
  | { readonly kind: "asked" } & Sent
  | { readonly kind: "agreed" }
  // The answer may still come.
  | { readonly kind: "refused" } & Sent;

/** A request that subscribes and was not answered yet. */
interface Unanswered {
  readonly id: string;
  /** Names of its topics. */
  readonly topics: ReadonlySet<string>;
  forMs: number;
}

interface Subscription {
  readonly topic: Topic;
  state: State;
  /** Whether it is wanted still. One that is not will be unsubscribed. */
  isWanted: boolean;
  /** Whether it was told that it is refused. */
  isRefusalTold: boolean;
}

/** A refused subscription is asked for again after this time: the refusal may have been about that moment. */
const REFUSED_MS = 600_000;

/** What an answer is about. */
interface About {
  readonly topic?: string | undefined;
  readonly id?: string | undefined;
  readonly market?: string | undefined;
}

export class Subscriptions {
  readonly #dialect: StreamDialect;
  readonly #options: SubscriptionsOptions;
  /** By the topic's name. */
  readonly #all = new Map<string, Subscription>();
  /** The exchange's alias → the topic's name, and back. */
  readonly #topics = new Map<string, string>();
  readonly #aliases = new Map<string, string>();
  /**
   * Oldest first, of an exchange whose refusals name nothing. It answers in order, so that a refusal is about the first of
   * these, however late it comes.
   */
  #unanswered: Unanswered[] = [];
  #ids = 0;

  constructor(dialect: StreamDialect, options: SubscriptionsOptions) {
    this.#dialect = dialect;
    this.#options = options;
  }

  /** What the next message of ours carries. */
  asking(): Asking {
    return { id: String(++this.#ids), nowMs: this.#options.now() };
  }

  get areAllRefused(): boolean {
    return this.#all.size > 0 && this.#all.values().every(({ state }) => state.kind === "refused");
  }

  /** What is wanted from now on, all of it. */
  want(topics: ReadonlyMap<string, Topic>): void {
    for (const [name, subscription] of this.#all) {
      if (topics.has(name)) continue;
      subscription.isWanted = false;
      const { kind } = subscription.state;
      if (kind === "wanted" || kind === "refused") this.#all.delete(name);
    }
    for (const [name, topic] of topics) {
      const subscription = this.#all.get(name);
      if (subscription === undefined) {
        const state: State = { kind: "wanted", isAlone: false };
        this.#all.set(name, { topic, state, isWanted: true, isRefusalTold: false });
      } else if (!subscription.isWanted) {
        // It was not unsubscribed yet.
        subscription.isWanted = true;
        if (subscription.state.kind === "agreed") this.#options.onAgreed(name);
      }
    }
  }

  /** The next message to send, which then counts as sent; undefined when there is none. */
  next(): string | undefined {
    return this.#nextUnsubscription() ?? this.#nextSubscription();
  }

  #nextUnsubscription(): string | undefined {
    // What was asked for and not answered has no alias yet by which it could be unsubscribed.
    const unwanted = [...this.#all.values()].filter(({ isWanted, state }) =>
      !isWanted && (state.kind === "agreed" || !this.#dialect.isAnswering)
    );
    const batch = batchOf(unwanted, this.#dialect.batchMax);
    if (batch.length === 0) return undefined;
    const text = this.#dialect.unsubscribe(batch, this.asking(), this.#aliases);
    for (const { name } of batch) this.#forget(name);
    return text;
  }

  #nextSubscription(): string | undefined {
    const isNext = (isAlone: boolean) => ({ state }: Subscription): boolean =>
      state.kind === "wanted" && state.isAlone === isAlone;
    const all = [...this.#all.values()];
    const together = batchOf(all.filter(isNext(false)), this.#dialect.batchMax);
    // One after the other, so that a refusal which names nothing is about the only one that waits.
    const isWaiting = all.some(({ state }) => state.kind === "asked");
    if (isWaiting && this.#dialect.refusesUnnamed) return undefined;
    const alone = isWaiting ? [] : all.filter(isNext(true));
    const batch = together.length > 0 ? together : batchOf(alone, 1);
    if (batch.length === 0) return undefined;
    const asking = this.asking();
    for (const { name } of batch) {
      const subscription = this.#all.get(name);
      if (subscription === undefined) continue;
      subscription.state = {
        ...{ kind: "asked", id: asking.id, isAlone: batch.length === 1, forMs: 0 },
      };
    }
    if (this.#dialect.refusesUnnamed) {
      const topics = new Set(batch.map(({ name }) => name));
      this.#unanswered.push({ id: asking.id, topics, forMs: 0 });
    }
    return this.#dialect.subscribe(batch, asking);
  }

  /** The name of a topic that messages name so; undefined when it is not subscribed. */
  topicOf(named: string): string | undefined {
    const name = this.#topics.get(named) ?? named;
    const subscription = this.#all.get(name);
    if (subscription === undefined || !subscription.isWanted) return undefined;
    if (subscription.state.kind === "wanted") return undefined;
    this.#agreeTo(subscription);
    return name;
  }

  agree({ topic, id, alias }: Told & { readonly kind: "agreed" }): void {
    if (topic !== undefined && alias !== undefined && this.#all.has(topic)) {
      this.#topics.delete(this.#aliases.get(topic) ?? "");
      this.#topics.set(alias, topic);
      this.#aliases.set(topic, alias);
    }
    const answered = this.#unanswered.findIndex(({ topics }) => topics.has(topic ?? ""));
    this.#unanswered.splice(0, answered + 1);
    for (const subscription of this.#meant({ topic, id })) this.#agreeTo(subscription);
  }

  /** Of a request with several topics, it may be one that is refused: they are asked for again, each alone. */
  refuse({ topic, id: named, market, why }: Told & { readonly kind: "refused" }): void {
    const isUnnamed = named === undefined && topic === undefined && market === undefined;
    const id = isUnnamed ? this.#unanswered.shift()?.id : named;
    if (isUnnamed && id === undefined && this.#dialect.refusesUnnamed) return;
    for (const subscription of this.#meant({ topic, id, market })) {
      const { state } = subscription;
      if (state.kind !== "asked" && state.kind !== "refused") continue;
      if (state.isAlone || topic !== undefined || market !== undefined) {
        this.#refuseOne(subscription, state, why);
      } else subscription.state = { kind: "wanted", isAlone: true };
    }
  }

  /** Lets time pass for subscriptions that wait for an answer, and for those that are refused. */
  pass(ms: number, unansweredMsMax: number): void {
    const { isAnswering } = this.#dialect;
    for (const one of this.#unanswered) one.forMs += ms;
    this.#unanswered = this.#unanswered.filter(({ forMs }) => forMs < REFUSED_MS);
    for (const subscription of this.#all.values()) {
      const { state } = subscription;
      if (state.kind !== "asked" && state.kind !== "refused") continue;
      state.forMs += ms;
      if (state.kind === "asked" && isAnswering && state.forMs >= unansweredMsMax) {
        this.#refuseOne(subscription, state, `no answer within ${unansweredMsMax / 1_000} s`);
      } else if (state.kind === "refused" && state.forMs >= REFUSED_MS) {
        subscription.state = { kind: "wanted", isAlone: true };
      }
    }
  }

  /** The subscriptions that an answer is about. One that names nothing is about the only request that waits. */
  #meant({ topic, id, market }: About): readonly Subscription[] {
    if (topic !== undefined) return [this.#all.get(topic)].filter((one) => one !== undefined);
    const all = [...this.#all.values()].flatMap((subscription) => {
      const { state } = subscription;
      if (state.kind !== "asked" && state.kind !== "refused") return [];
      return [{ subscription, id: state.id, isWaiting: state.kind === "asked" }];
    });
    // One that names its request may come late.
    const meant = id === undefined ? all.filter(({ isWaiting }) => isWaiting) : all;
    const requests = new Set(meant.map(({ id }) => id));
    if (id === undefined && market === undefined && requests.size > 1) return [];
    return meant.filter((one) =>
      (id === undefined || one.id === id) &&
      (market === undefined || one.subscription.topic.market === market)
    ).map(({ subscription }) => subscription);
  }

  #agreeTo(subscription: Subscription): void {
    if (subscription.state.kind === "agreed") return;
    subscription.state = { kind: "agreed" };
    subscription.isRefusalTold = false;
    if (subscription.isWanted) this.#options.onAgreed(subscription.topic.name);
  }

  #refuseOne(subscription: Subscription, { id, isAlone }: Sent, why: string): void {
    const { topic: { name }, isWanted, isRefusalTold } = subscription;
    if (!isWanted) return this.#forget(name);
    subscription.state = { kind: "refused", id, isAlone, forMs: 0 };
    subscription.isRefusalTold = true;
    if (!isRefusalTold) this.#options.onRefused(name, why);
  }

  #forget(name: string): void {
    this.#all.delete(name);
    this.#topics.delete(this.#aliases.get(name) ?? "");
    this.#aliases.delete(name);
  }
}

/** The first topics, all of one interval. */
function batchOf(subscriptions: readonly Subscription[], topicsMax: number): readonly Topic[] {
  const interval = subscriptions[0]?.topic.interval;
  const topics = subscriptions.map(({ topic }) => topic);
  return topics.filter((topic) => topic.interval === interval).slice(0, topicsMax);
}

/** Sends the news of alerts that waits in the database to the webhook. @module */
import type { Archive } from "../archive/archive.ts";
import { type WebhookFormat, webhookFormat } from "../config/webhook_format.ts";
import type { AlertNews } from "../store/alerts.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import {
  claimNews,
  dropUnsentNews,
  isLeading,
  markNewsSent,
  type Poster,
  readFiringNews,
  readUnsentNews,
  releaseNews,
} from "../store/unsent_news.ts";
import { withDeadline } from "../policy/deadline.ts";
import { errorText } from "../text/redact.ts";
import { type AlertPost, postsOf } from "./alert_message.ts";
import { postAlerts, type PostOptions } from "./webhook.ts";
import { WebhookError } from "./webhook_answer.ts";

/** How many alerts are read from the outbox at once. */
const NEWS_MAX = 100;

/** The name under which failures to send are logged. */
const SENDING = "sending alerts";

/** Beside `FETCH_TIMEOUT`: so long a node that has begun to post may need to tell that it has. */
const TELLING_MS = 30_000;

/** How long a post may take that is under way when all is stopped. */
const ANSWER_MS_MAX = 2_000;

/** Another node leads, and posts what is to be posted. */
class NotLeadingError extends Error {
  override readonly name = "NotLeadingError";
}

/** What is posted in one run: how, and by whom. */
interface Run {
  readonly archive: Archive;
  readonly receiver: { readonly url: string; readonly format: WebhookFormat };
  readonly poster: Poster;
}

/**
 * One sender at a time runs concurrently with the jobs, so a webhook that hangs delays only the sending. Messages wait in the
 * database, so a restart loses none. Of several nodes the leader sends, and takes each message for itself in the database
 * right before each post: what woke too late posts nothing. A message that was posted just before a crash is posted again.
 */
export class Outbox {
  readonly #archive: Archive;
  /** Nothing more is begun. */
  readonly #stopping = new AbortController();
  /** Ends the post that is under way, too. */
  readonly #aborting = new AbortController();
  #sending: Promise<void> | undefined = undefined;
  /** Whether there may be messages that the running sender has not read yet. */
  #hasNews = false;
  /** The webhook that has asked to be left alone, and until when. Epoch milliseconds. */
  #waiting: { readonly url: string | undefined; readonly untilMs: number } | undefined = undefined;

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Call when there may be news. Starts a sender, unless the webhook has asked to wait. */
  wake(): void {
    this.#hasNews = true;
    if (!this.#isWaiting) this.#sending ??= this.#send();
  }

  /** Resolves when nothing is being sent. */
  async idle(): Promise<void> {
    await this.#sending;
  }

  /**
   * Stops the sender. Messages that are not sent yet are sent after the next start. The one that is on its way has a moment
   * to be taken: aborted, it may come twice.
   */
  async stop(): Promise<void> {
    const { clock } = this.#archive;
    const reason = new Error("the alerts are stopping");
    this.#stopping.abort(reason);
    await withDeadline(ANSWER_MS_MAX, () => this.idle(), { clock, name: "the post under way" })
      .catch(() => this.#aborting.abort(reason));
    await this.idle();
  }

  get #signals(): Pick<PostOptions, "signal" | "waits"> {
    return { signal: this.#aborting.signal, waits: this.#stopping.signal };
  }

  get #isWaiting(): boolean {
    const { clock, config } = this.#archive;
    return this.#waiting?.url === config.alertWebhookUrl &&
      clock.now() < (this.#waiting?.untilMs ?? 0);
  }

  async #send(): Promise<void> {
    // One webhook and its form for as long as this goes on, also where a reload names another one.
    const archive = { ...this.#archive };
    const { clock, config, database, failures, leases: { node }, log } = archive;
    const { alertWebhookUrl: url, alertWebhookFormat: setting } = config;
    try {
      if (url === undefined) return await dropUnsentNews(database, node);
      const receiver = { url, format: webhookFormat(url, setting) };
      const poster = { node, claimMs: config.fetchTimeoutMs + TELLING_MS };
      const run = { archive, receiver, poster };
      while (this.#hasNews) {
        this.#hasNews = false;
        const unsent = await readUnsentNews(database, { ...poster, newsMax: NEWS_MAX });
        for (const post of postsOf(unsent, { ...receiver, nowMs: clock.now() })) {
          await this.#sendOne(run, post);
        }
        if (unsent.length === NEWS_MAX) this.#hasNews = true;
        else if (receiver.format === "alertmanager") await this.#sendFiring(run);
      }
      failures.clear(SENDING);
    } catch (error) {
      if (error instanceof WebhookError) {
        this.#waiting = { url, untilMs: clock.now() + (error.waitMs ?? 0) };
      }
      if (error instanceof NotLeadingError || this.isStopped) return;
      if (!failures.isNews(SENDING, errorText(error))) return;
      const level = isServerAway(error) ? "debug" : "warn";
      log[level]("alerts were not sent; they wait for the next run", { error });
    } finally {
      // No await since #hasNews was last read. So later messages start a new sender, and none is missed.
      this.#sending = undefined;
    }
  }

  async #sendOne(
    { archive, receiver: { format }, poster }: Run,
    post: AlertPost<AlertNews>,
  ): Promise<void> {
    const { clock, database, log } = archive;
    const before = async (): Promise<void> => {
      if (await claimNews(database, post.alerts, poster)) return;
      throw new NotLeadingError("another node posts this");
    };
    try {
      await postAlerts(archive, post, { format, ...this.#signals, before });
    } catch (error) {
      if (!(error instanceof WebhookError) || error.kind !== "refused") {
        // It is not known whether it came. Whoever leads next says it again, rather than nobody.
        await releaseNews(database, post.alerts, poster).catch(() => {});
        throw error;
      }
      for (const { alert, state, summary } of post.alerts) {
        log.error("the webhook refused an alert for good: it is not sent again", {
          alert,
          state,
          summary,
          error,
        });
      }
    }
    await markNewsSent(database, post.alerts, { node: poster.node, nowMs: clock.now() });
  }

  /**
   * Sends what is firing once more. An Alertmanager keeps alerts in memory alone, and takes those that are not repeated for
   * ended (prometheus.io/docs/alerting/latest/clients).
   */
  async #sendFiring({ archive, receiver, poster: { node } }: Run): Promise<void> {
    const { clock, database } = archive;
    // What has ended since it was read must not be told to fire by who does not lead any more.
    const before = async (): Promise<void> => {
      if (!await isLeading(database, node)) throw new NotLeadingError("another node repeats this");
    };
    let afterId = 0;
    while (true) {
      const firing = await readFiringNews(database, { afterId, newsMax: NEWS_MAX });
      for (const post of postsOf(firing, { ...receiver, nowMs: clock.now() })) {
        await postAlerts(archive, post, {
          format: receiver.format,
          ...this.#signals,
          before,
        });
      }
      if (firing.length < NEWS_MAX) return;
      afterId = firing.at(-1)!.id;
    }
  }
}

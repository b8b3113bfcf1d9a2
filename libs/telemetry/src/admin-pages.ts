import { DroverError, neverAborted, systemClock, withTimeout } from "@drover/core";
import { type AdminAnswer, type AdminQuestion, json } from "./admin-messages.ts";
import { ADMIN_ANSWER_MS_MAX, READY_SILENCE_MS_MAX } from "./limits.ts";

export type AdminPagesOptions = Readonly<{
  /** What its own series carry. */
  labels: Readonly<Record<string, string>>;
  stallAfterMs: number;
  /** When the main loop last turned, in the nanoseconds of `now`. */
  beat: BigInt64Array<SharedArrayBuffer>;
  now: () => bigint;
  /** Has the main loop answer; never rejects, and is forgotten when the signal aborts. */
  ask: (question: AdminQuestion, signal: AbortSignal) => Promise<AdminAnswer>;
  /** How long that may take; ADMIN_ANSWER_MS_MAX unless given. */
  answerMsMax?: number;
}>;

type Kept = Readonly<{ answer: AdminAnswer; atNs: bigint }>;

const NANOSECONDS_PER_MS = 1_000_000n;
const MAIN_BUSY = "the main loop is busy: it did not answer in time";

/** What the admin port says: probes out of what is known here, all else from the main loop, which gets a bounded time for it. */
export class AdminPages {
  /** Why the process is not ready, as the main loop last said; null when it is. */
  readiness: string | null = "the process is starting";
  readonly #options: AdminPagesOptions;
  #metrics: Kept | undefined;
  #scrape: Promise<AdminAnswer> | undefined;

  constructor(options: AdminPagesOptions) {
    this.#options = options;
  }

  /** `undefined` asks with a method that is not served. */
  async answer(question: AdminQuestion | undefined): Promise<AdminAnswer> {
    if (question === undefined) return json(405, { error: "only GET and POST are served" });
    const { method, path } = question;
    if (method === "GET" && (path === "/livez" || path === "/health")) return this.#live();
    if (method === "GET" && (path === "/readyz" || path === "/ready")) return this.#ready();
    if (method === "GET" && path === "/metrics") return this.#metricsPage(question);
    return (await this.#asked(question)) ?? json(503, { error: MAIN_BUSY });
  }

  #live(): AdminAnswer {
    const silentMs = this.#silentMs();
    return silentMs <= this.#options.stallAfterMs ? json(200, { status: "ok" }) : unavailable(stalled(silentMs));
  }

  #ready(): AdminAnswer {
    if (this.readiness !== null) return unavailable(this.readiness);
    const silentMs = this.#silentMs();
    return silentMs <= READY_SILENCE_MS_MAX ? json(200, { status: "ok" }) : unavailable(stalled(silentMs));
  }

  /** The newest text; where the main loop is too busy, the last one: a gap would look like a process that is gone. A gauge says how old it is. */
  async #metricsPage(question: AdminQuestion): Promise<AdminAnswer> {
    // Scrapes that come meanwhile share what the first one asked for.
    this.#scrape ??= this.#asked(question).then((answer) => {
      this.#scrape = undefined;
      if (answer?.status === 200) this.#metrics = { answer, atNs: this.#options.now() };
      return answer ?? this.#metrics?.answer ?? json(503, { error: MAIN_BUSY });
    });
    const answer = await this.#scrape;
    if (answer.status !== 200 || this.#metrics === undefined) return answer;
    const ageMs = Math.max(0, Number((this.#options.now() - this.#metrics.atNs) / NANOSECONDS_PER_MS));
    return { ...answer, body: answer.body + this.#ownMetrics(ageMs) };
  }

  #ownMetrics(ageMs: number): string {
    const labels = Object.entries(this.#options.labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    const gauge = (name: string, help: string, value: number) =>
      `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name}{${labels.join(",")}} ${value}\n`;
    return [
      gauge("drover_ready", "1 while /readyz answers 200", this.#ready().status === 200 ? 1 : 0),
      gauge("drover_main_loop_silent_seconds", "Time since the main loop last turned", this.#silentMs() / 1000),
      gauge(
        "drover_metrics_age_seconds",
        "How old the others are: the main loop had no time for newer ones",
        ageMs / 1000,
      ),
    ].join("");
  }

  async #asked(question: AdminQuestion): Promise<AdminAnswer | undefined> {
    const { ask, answerMsMax: ms = ADMIN_ANSWER_MS_MAX } = this.#options;
    try {
      return await withTimeout({ ms, message: MAIN_BUSY }, systemClock, neverAborted, (late) => ask(question, late));
    } catch (error) {
      if (error instanceof DroverError && error.code === "deadline_exceeded") return undefined;
      throw error;
    }
  }

  #silentMs(): number {
    const { beat, now } = this.#options;
    return Math.max(0, Number((now() - Atomics.load(beat, 0)) / NANOSECONDS_PER_MS));
  }
}

const unavailable = (reason: string): AdminAnswer => json(503, { status: "unavailable", reason });

const stalled = (silentMs: number): string => `the main loop has not turned for ${Math.round(silentMs / 1000)} s`;

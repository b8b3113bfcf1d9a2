import { Worker } from "node:worker_threads";
import { crashOnFailedAssertion, DroverError, ERROR_CODES, restOfPeriod, systemClock } from "@drover/core";
import {
  type AdminAnswer,
  type AdminQuestion,
  type AdminThreadSettings,
  type FromAdminThread,
  json,
  type ToAdminThread,
} from "./admin-messages.ts";
import { ADMIN_THREAD_HEAP_MB, BEAT_MS, QUIET_BEAT_MS } from "./limits.ts";
import type { Metrics } from "./metrics.ts";

/** What a path answers in JSON to what is asked after its question mark. A DroverError gets its HTTP status. */
type AdminRoute = (query: URLSearchParams) => unknown;

export type AdminServerOptions = Readonly<{
  host: string;
  /** 0: any free one. */
  port: number;
  metrics: Metrics;
  /** Why the process is not ready until `show` says otherwise, in a sentence. */
  starting: string;
  /** Aborts when the process was asked to end: from then on it is not ready. */
  ending: AbortSignal;
  /** The process counts as dead when its main loop has not turned for longer. */
  stallAfterMs: number;
}>;

/** What a process that has started shows of itself. */
export type AdminSubject = Readonly<{
  /** Null when the process can do its work now, else a sentence that says what is missing. Asked once to four times a second. */
  unready: () => string | null;
  /**
   * Why routes and actions are not for whoever gives this proof for what it asks, `GET /path?query`; undefined where they are. All may ask unless it
   * is given.
   */
  refusal?: (proof: string | undefined, asked: string) => string | undefined;
  /** Served by GET, such as `/debug/worker`. */
  routes?: Readonly<Record<string, AdminRoute>>;
  /** Served by POST: they change something. */
  actions?: Readonly<Record<string, AdminRoute>>;
}>;

export type AdminServer = AsyncDisposable &
  Readonly<{
    port: number;
    /** The process has started: from now on its readiness and its routes are the subject's. */
    show(subject: AdminSubject): void;
  }>;

const UNAUTHENTICATED = ERROR_CODES.unauthenticated.http;

const PROGRAM = new URL("./admin-thread.ts", import.meta.url);

/**
 * Serves the admin port on a thread of its own: `/livez` (200 while the main loop turns), `/readyz` (200 while the process is ready, else 503
 * with the reason), `/metrics`, and, to whom they are for, the routes of what is shown; `/health` and `/ready` are older names of the first two. Errors:
 * `unavailable` when the address is taken.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { host, port, metrics, stallAfterMs, starting, ending } = options;
  const draining = metrics.gauge("drover_draining", "1 once the process was asked to end", []);
  metrics.beforeScrape(() => draining.set(ending.aborted ? 1 : 0));
  const beat = new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
  const settings: AdminThreadSettings = { host, port, labels: metrics.labels, stallAfterMs, beat };
  const resourceLimits = { maxOldGenerationSizeMb: ADMIN_THREAD_HEAP_MB };
  const thread = new Worker(PROGRAM, { workerData: settings, resourceLimits });
  const tell = (message: ToAdminThread) => thread.postMessage(message);
  let subject: AdminSubject | undefined;
  let told: string | null | undefined;
  const refresh = () => {
    const reason = ending.aborted ? "the process is ending" : subject === undefined ? starting : subject.unready();
    if (reason === told) return;
    told = reason;
    tell({ kind: "readiness", reason });
  };
  // A loop that beats seldom must not look like one that stands.
  const quietMs = Math.min(QUIET_BEAT_MS, stallAfterMs / 2);
  let timer: NodeJS.Timeout | undefined;
  const turn = () => {
    Atomics.store(beat, 0, process.hrtime.bigint());
    refresh();
    const isQuiet = !metrics.turned() && told === null;
    timer = setTimeout(turn, isQuiet ? restOfPeriod(systemClock.monotonic(), quietMs) : BEAT_MS);
  };
  const answer = async ({ id, question }: Extract<FromAdminThread, { kind: "ask" }>) =>
    tell({ kind: "answer", id, answer: await answerTo(question, metrics, subject ?? starting) });
  const listening = Promise.withResolvers<number>();
  thread.on("message", (message: FromAdminThread) => {
    if (message.kind === "listening") listening.resolve(message.port);
    else if (message.kind === "failed")
      listening.reject(new DroverError("unavailable", `cannot listen on ${host}:${port}: ${message.reason}`));
    else void answer(message);
  });
  turn();
  ending.addEventListener("abort", refresh, { once: true });
  const close = async () => {
    clearTimeout(timer);
    await thread.terminate();
  };
  const show = (started: AdminSubject) => {
    subject = started;
    refresh();
  };
  try {
    return { port: await listening.promise, show, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** `subject` is a sentence while the process starts. */
async function answerTo(
  question: AdminQuestion,
  metrics: Metrics,
  subject: AdminSubject | string,
): Promise<AdminAnswer> {
  const { method, path, query, proof } = question;
  try {
    if (method === "GET" && path === "/metrics")
      return { status: 200, contentType: metrics.contentType, body: await metrics.text() };
    if (typeof subject === "string") return json(503, { error: subject });
    const { routes = {}, actions = {}, refusal } = subject;
    const refused = refusal?.(proof, `${method} ${path}${query === "" ? "" : `?${query}`}`);
    if (refused !== undefined) return json(UNAUTHENTICATED, { error: refused });
    const served = method === "GET" ? routes : actions;
    const route = Object.hasOwn(served, path) ? served[path] : undefined;
    if (route !== undefined) return json(200, await route(new URLSearchParams(query)));
    const isElsewhere = Object.hasOwn(method === "GET" ? actions : routes, path);
    if (isElsewhere) return json(405, { error: `${path} is not served by ${method}` });
    return json(404, { error: `nothing is served at ${path}` });
  } catch (error) {
    crashOnFailedAssertion(error);
    const status = error instanceof DroverError ? ERROR_CODES[error.code].http : 500;
    return json(status, { error: error instanceof Error ? error.message : String(error) });
  }
}

import { randomUUID } from "node:crypto";
import { DroverError, neverAborted, requestId, toDroverError } from "@drover/core";
import type { GenerationEndpoint, GenerationQuery, KeptResponse, ReplyFrame } from "@drover/openai";
import type { Account } from "@drover/tenants";
import type { Deployment } from "../deployment.ts";
import type { KeyedRequest } from "../keyed/keyed-answers.ts";
import type { KeyedRun } from "../keyed/keyed-run.ts";
import { newOrigin } from "../keyed/origin.ts";
import type { RecordedAnswer } from "../keyed/recorded-answer.ts";
import { BACKGROUND_CANCEL_MS_MAX, BACKGROUND_LOOK_MS, KEYED_ANSWER_MS } from "../limits.ts";
import type { Incoming } from "../requests/request-trace.ts";
import { replyFrame } from "../requests/whole-answer.ts";
import { NumberedEvents } from "./keyed-generation.ts";

/** A request for a response in the background, as it was read. */
export type BackgroundQuery = Readonly<{
  endpoint: GenerationEndpoint;
  deployment: Deployment;
  queries: () => readonly GenerationQuery[];
  account: Account;
  incoming: Incoming;
}>;

/** Why a response ends that its client does not want any more. */
const CANCELLED = new DroverError("cancelled", "the response was cancelled");

/** Of one of these the end is still to come. */
export const isPending = (status: unknown): boolean => status === "queued" || status === "in_progress";

/** The state of a kept response. */
export function statusOf({ response }: KeptResponse): unknown {
  return typeof response === "object" && response !== null && "status" in response ? response.status : undefined;
}

const ownerOf = ({ tenant }: Account): string => tenant?.name ?? "";

/** As a request with a key that its id is: computed once, whoever asks, and gone on with by the next router that is asked for it. */
const keyedOf = (owner: string, id: string): KeyedRequest => ({
  owner,
  key: `background ${id}`,
  digest: id,
  lastEventId: undefined,
  isAwaited: true,
});

const keyOf = (owner: string, id: string, what: "body" | "cancel") => `background/${owner}/${id}/${what}`;

/** Begins a response in the background: it is told once it waits for a worker. Errors: what refuses it; those of the store. */
export async function beginBackground(query: BackgroundQuery, body: Uint8Array): Promise<unknown> {
  const { deployment, account } = query;
  if (!deployment.responses.isOn)
    throw new DroverError("invalid_argument", "is not supported: this router keeps no responses", {
      field: "background",
    });
  query.queries();
  const id = randomUUID();
  // For the router that goes on with it.
  await deployment.keyedStore.put(keyOf(ownerOf(account), id, "body"), body, KEYED_ANSWER_MS, neverAborted);
  const begun = Promise.withResolvers<ReplyFrame>();
  const { answer } = await run(query, id, begun.resolve);
  // What fails before it has begun is its answer's end.
  const failed = (async () => {
    for await (const _ of answer.read(0, neverAborted)) break;
  })();
  failed.catch(begun.reject);
  return query.endpoint.pending?.(await begun.promise, "queued").body;
}

/** The body of a response in the background; undefined where it is none, or is not kept any more. Errors: those of the store. */
export async function backgroundBody(
  { keyedStore }: Deployment,
  owner: string,
  id: string,
): Promise<Uint8Array | undefined> {
  return keyedStore.get(keyOf(owner, plain(id), "body"), neverAborted);
}

const plain = (id: string) => id.replace(/^resp_/, "");

/** The events of a response in the background, from the router that computes it, or gone on with here. Errors: those of the store. */
export async function backgroundAnswer(query: BackgroundQuery, id: string): Promise<RecordedAnswer> {
  return (await run(query, plain(id), () => undefined)).answer;
}

/** Whether somebody computes it, or its events are there. Errors: those of the store. */
export function isUnderWay({ keyedAnswers }: Deployment, owner: string, id: string): Promise<boolean> {
  return keyedAnswers.isUnderWay(keyedOf(owner, plain(id)), neverAborted);
}

/** Has whoever computes a response end it, and waits for that a while. Errors: `invalid_argument` for one that cannot be; those of the store. */
export async function cancelBackground(
  deployment: Deployment,
  owner: string,
  id: string,
  kept: KeptResponse,
): Promise<unknown> {
  const { responses, keyedStore, inference } = deployment;
  const { response } = kept;
  const isLater = typeof response === "object" && response !== null && "background" in response && response.background;
  if (isLater !== true)
    throw new DroverError("invalid_argument", "only a response in the background can be cancelled", {
      field: "response",
    });
  if (statusOf(kept) === "cancelled") return response;
  if (!isPending(statusOf(kept)))
    throw new DroverError("invalid_argument", `a response that is ${statusOf(kept)} cannot be cancelled`, {
      field: "response",
    });
  await keyedStore.put(keyOf(owner, plain(id), "cancel"), Uint8Array.of(1), KEYED_ANSWER_MS, neverAborted);
  if (await isUnderWay(deployment, owner, id)) {
    const untilMs = inference.clock.monotonic() + BACKGROUND_CANCEL_MS_MAX;
    while (inference.clock.monotonic() < untilMs) {
      const now = await responses.get(owner, id, neverAborted);
      if (now === undefined || !isPending(statusOf(now))) return now?.response;
      await inference.clock.sleep(BACKGROUND_LOOK_MS / 5, neverAborted);
    }
  }
  // Nobody is at it who could.
  const cancelled = { ...(response as object), status: "cancelled" };
  await responses.keep(owner, id, { ...kept, response: cancelled }, neverAborted);
  return cancelled;
}

async function run(query: BackgroundQuery, id: string, onBegun: (frame: ReplyFrame) => void) {
  const { deployment, account } = query;
  const { inference, keyedAnswers } = deployment;
  const origin = () => ({ ...newOrigin(inference.clock, inference.facts), id: requestId(id) });
  const make = (answer: RecordedAnswer, keyed: KeyedRun, signal: AbortSignal) =>
    compute(query, { answer, run: keyed, signal, onBegun });
  return { answer: await keyedAnswers.answer(keyedOf(ownerOf(account), id), origin, make, neverAborted) };
}

type Computing = Readonly<{
  answer: RecordedAnswer;
  run: KeyedRun;
  signal: AbortSignal;
  onBegun: (frame: ReplyFrame) => void;
}>;

/** Computes it, or takes it from who does. Errors: those after which another router goes on with it. */
async function compute(query: BackgroundQuery, { answer, run, signal, onBegun }: Computing): Promise<void> {
  const { endpoint, deployment, queries, account, incoming } = query;
  const { inference, responses, keyedStore } = deployment;
  const owner = ownerOf(account);
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  using permit = inference.admit(incoming, account);
  const running = await inference.begin(queries, permit, ended, undefined, run);
  const frame = replyFrame(endpoint, inference, running, run.origin.createdS);
  let keeping = Promise.resolve();
  const keep = (kept: KeptResponse | undefined) => {
    if (kept !== undefined) keeping = keeping.then(() => responses.keep(owner, frame.id, kept, neverAborted));
    return keeping;
  };
  if (run.isOwn) await keep(endpoint.pending?.(frame, "queued").kept);
  onBegun(frame);
  const leave = () => inference.cancel(running.batch, toDroverError(ended.reason));
  ended.addEventListener("abort", leave, { once: true });
  const cancelKey = keyOf(owner, run.origin.id, "cancel");
  const look = async () => {
    if ((await keyedStore.get(cancelKey, neverAborted)) !== undefined) over.abort(CANCELLED);
  };
  const watch = setInterval(() => void look().catch(() => undefined), BACKGROUND_LOOK_MS);
  const stream = endpoint.stream(frame);
  const events = new NumberedEvents(answer, run);
  let isBegun = false;
  try {
    const read = run.journal.read((outputs, isKept) => {
      for (const output of outputs) events.push(stream.push(output), isKept);
      if (!isBegun && run.isOwn) void keep(endpoint.pending?.(frame, "in_progress").kept);
      isBegun = true;
    });
    if (run.follow === undefined) answer.begin();
    await read;
  } catch (error) {
    const fault = toDroverError(error);
    // Another router goes on with it, or has it.
    if (signal.aborted || (fault !== CANCELLED && fault.code === "unavailable") || !run.isOwn) throw error;
    events.push(stream.fail(fault), false);
  } finally {
    clearInterval(watch);
    ended.removeEventListener("abort", leave);
    inference.cancel(running.batch);
  }
  await keep(stream.kept);
}

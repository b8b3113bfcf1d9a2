import { randomUUID } from "node:crypto";
import { DroverError, neverAborted, restOfPeriod, sleepUnlessAborted, toDroverError } from "@drover/core";
import { type BatchBody, type BatchObject, noSuchFile } from "@drover/openai";
import { BATCH_LOOK_MS, BATCH_PAUSE_MS, BATCH_SILENCE_MS_MAX, BATCH_WINDOW_MS, FLUSH_MS_MAX } from "../limits.ts";
import { BatchRun, type BatchRunOptions } from "./batch-run.ts";
import { type BatchRecord, hasEnded } from "./stored-batches.ts";
import { StoredFiles } from "./stored-files.ts";

export type BatchRunnerOptions = BatchRunOptions & Readonly<{ routerId: string }>;

/** Works on batches that nobody works on, its own and those of routers that are gone: one after the other, the oldest first. */
export class BatchRunner {
  readonly #options: BatchRunnerOptions;
  readonly #closed = new AbortController();
  /** Ends the wait until it looks again. */
  #wake = new AbortController();
  #over: Promise<void> = Promise.resolve();
  /** Of those that are listed, which need not be looked at again. */
  #ended: ReadonlySet<string> = new Set();

  constructor(options: BatchRunnerOptions) {
    this.#options = options;
  }

  /** Begins to work; ends with `close`. */
  start(): void {
    this.#over = this.#work(this.#closed.signal);
  }

  /** Lets go of what it works on, for other routers; where that cannot be said in time, they wait until it counts as dead. */
  async close(): Promise<void> {
    this.#closed.abort(new DroverError("unavailable", "this router has ended"));
    const said = new AbortController();
    const over = this.#over.then(() => said.abort(new DroverError("cancelled", "it is said")));
    await Promise.race([over, sleepUnlessAborted(this.#options.clock, FLUSH_MS_MAX, said.signal)]);
  }

  /** Takes a tenant's batch, to be worked on. Errors: `not_found` for a file that is not kept, or another tenant's; those of the store. */
  async create(body: BatchBody, tenant: string, signal: AbortSignal): Promise<BatchObject> {
    const { files, batches, clock, routerId } = this.#options;
    const file = await files.find(body.input_file_id, tenant, signal);
    if (file === undefined) throw noSuchFile("input_file_id");
    const nowMs = clock.now();
    const createdS = Math.floor(nowMs / 1000);
    const batch: BatchObject = {
      id: `batch_${randomUUID().replaceAll("-", "")}`,
      object: "batch",
      endpoint: body.endpoint,
      errors: null,
      input_file_id: file.id,
      completion_window: "24h",
      status: "validating",
      output_file_id: null,
      error_file_id: null,
      created_at: createdS,
      expires_at: createdS + BATCH_WINDOW_MS / 1000,
      request_counts: { total: 0, completed: 0, failed: 0 },
      metadata: body.metadata ?? null,
    };
    const owned = { owner: routerId, tenant, aliveAtMs: nowMs };
    await batches.put({ batch, outputId: StoredFiles.newId(), errorId: StoredFiles.newId(), ...owned }, signal);
    await batches.lists.of(tenant).add(batch.id, signal);
    await batches.list.add(batch.id, signal);
    this.#wake.abort(new DroverError("cancelled", "there is a batch"));
    return batch;
  }

  /** Asks for the end of a tenant's batch. Errors: `not_found`; `invalid_argument` for one that has ended; those of the store. */
  async cancel(id: string, tenant: string, signal: AbortSignal): Promise<BatchObject> {
    const { batches, clock } = this.#options;
    const record = await batches.findFor(id, tenant, signal);
    if (record === undefined) throw new DroverError("not_found", "the batch is not kept here");
    const { batch } = record;
    if (hasEnded(batch))
      throw new DroverError("invalid_argument", `a batch that is ${batch.status} cannot be cancelled`, {
        field: "batch",
      });
    const askedS = Math.floor(clock.now() / 1000);
    await batches.askToCancel(id, askedS, signal);
    return { ...batch, status: "cancelling", cancelling_at: askedS };
  }

  async #work(closed: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!closed.aborted) {
      this.#wake = new AbortController();
      try {
        for (const id of await this.#options.batches.list.ids(closed)) await this.#workOn(id, closed);
      } catch (error) {
        const { code, message } = toDroverError(error);
        // A store that is away is told of where requests need it.
        if (!closed.aborted && code !== "unavailable") logger.warn("batch.trouble", { code, reason: message });
      }
      const lookMs = restOfPeriod(clock.monotonic(), BATCH_LOOK_MS);
      await sleepUnlessAborted(clock, lookMs, AbortSignal.any([closed, this.#wake.signal]));
    }
  }

  async #workOn(id: string, closed: AbortSignal): Promise<void> {
    if (this.#ended.has(id) || closed.aborted) return;
    const record = await this.#options.batches.find(id, closed);
    if (record === undefined || hasEnded(record.batch)) {
      const listed = new Set(await this.#options.batches.list.ids(closed));
      this.#ended = new Set([...this.#ended, id].filter((one) => listed.has(one)));
      return;
    }
    const claimed = await this.#claim(record, closed);
    if (claimed === undefined) return;
    await new BatchRun(claimed, this.#options).run(closed);
  }

  /** The record, once it is this router's; undefined where another one lives or was quicker. */
  async #claim(record: BatchRecord, closed: AbortSignal): Promise<BatchRecord | undefined> {
    const { batches, clock, routerId } = this.#options;
    const { owner, aliveAtMs, batch } = record;
    if (owner !== routerId && clock.now() - aliveAtMs < BATCH_SILENCE_MS_MAX) return undefined;
    const claimed = { ...record, owner: routerId, aliveAtMs: clock.now() };
    await batches.put(claimed, neverAborted);
    // Who read it at the same time has written it too by then: the last one stays.
    if (owner !== routerId) await sleepUnlessAborted(clock, BATCH_PAUSE_MS, closed);
    const now = await batches.find(batch.id, closed);
    return now?.owner === routerId ? claimed : undefined;
  }
}

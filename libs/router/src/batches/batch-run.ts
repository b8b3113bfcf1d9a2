import { type Clock, DroverError, type Logger, neverAborted, sleepUnlessAborted, toDroverError } from "@drover/core";
import { type BatchLine, type BatchObject, unansweredLine } from "@drover/openai";
import { BATCH_BEAT_MS } from "../limits.ts";
import type { BatchAnswers } from "./batch-answers.ts";
import { batchLines } from "./batch-lines.ts";
import { LineFile } from "./line-file.ts";
import type { BatchRecord, StoredBatches } from "./stored-batches.ts";
import type { StoredFiles } from "./stored-files.ts";
import { ownerOf } from "./stored-list.ts";

export type BatchRunOptions = Readonly<{
  files: StoredFiles;
  batches: StoredBatches;
  answers: Pick<BatchAnswers, "answer">;
  /** Requests that run at once. */
  requestsMax: number;
  clock: Clock;
  logger: Logger;
}>;

const CANCELLED = new DroverError("cancelled", "the batch was cancelled");
const EXPIRED = new DroverError("deadline_exceeded", "the batch's time is over");
const LOST = new DroverError("stale_epoch", "another router has taken the batch over");

/** One batch at its router's hands: its requests are answered, its answers are put, and it says that it lives. */
export class BatchRun {
  readonly #options: BatchRunOptions;
  readonly #stop = new AbortController();
  #record: BatchRecord;

  constructor(record: BatchRecord, options: BatchRunOptions) {
    this.#record = record;
    this.#options = options;
  }

  /** Works until the batch has ended, or its router does: then another one goes on behind what was put. Errors: those of the store. */
  async run(closing: AbortSignal): Promise<void> {
    const { files } = this.#options;
    const { batch, outputId, errorId } = this.#record;
    const tenant = ownerOf(this.#record);
    const { lines, faults } = await batchLines(files, batch, tenant, closing).catch(missingFile);
    if (faults.length > 0)
      return this.#put({ status: "failed", failed_at: this.#nowS, errors: { object: "list", data: [...faults] } });
    const done = new Set<string>();
    const note = (line: string) => done.add((JSON.parse(line) as { custom_id: string }).custom_id);
    const file = (id: string, kind: string) => ({
      id,
      filename: `${batch.id}_${kind}.jsonl`,
      purpose: "batch_output" as const,
      tenant,
    });
    const output = await LineFile.open(files, file(outputId, "output"), note, closing);
    const errors = await LineFile.open(files, file(errorId, "error"), note, closing);
    const open = lines.filter(({ customId }) => !done.has(customId));
    const counts = () => ({ total: lines.length, completed: output.lineCount, failed: errors.lineCount });
    await this.#put({
      status: "in_progress",
      in_progress_at: batch.in_progress_at ?? this.#nowS,
      request_counts: counts(),
    });
    const over = new AbortController();
    const working = AbortSignal.any([closing, this.#stop.signal]);
    const beats = this.#beat([output, errors], counts, AbortSignal.any([over.signal, closing]));
    try {
      await this.#answerAll(open, output, errors, working);
    } finally {
      over.abort(new DroverError("cancelled", "the requests are over"));
      await beats;
    }
    if (this.#stop.signal.reason === LOST) return;
    if (closing.aborted) return this.#letGo([output, errors]);
    await this.#finish(open, output, errors, counts);
  }

  get #nowS(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }

  async #answerAll(
    lines: readonly BatchLine[],
    output: LineFile,
    errors: LineFile,
    signal: AbortSignal,
  ): Promise<void> {
    const { answers, requestsMax } = this.#options;
    const left = lines.values();
    const one = async () => {
      for (const line of left) {
        if (signal.aborted) return;
        try {
          const answered = await answers.answer(this.#record.batch.endpoint, line, ownerOf(this.#record), signal);
          (answered.isAnswer ? output : errors).write(answered.line);
          this.#answered.add(line.customId);
        } catch (error) {
          if (!signal.aborted) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(requestsMax, lines.length) }, one));
  }

  readonly #answered = new Set<string>();

  /** Puts what there is, again and again, and looks whether the batch should end. */
  async #beat(
    files: readonly LineFile[],
    counts: () => BatchObject["request_counts"],
    over: AbortSignal,
  ): Promise<void> {
    const { clock, batches, logger } = this.#options;
    while (!over.aborted) {
      try {
        const { batch } = this.#record;
        const now = await batches.find(batch.id, over);
        if (now !== undefined && now.owner !== this.#record.owner) return this.#stop.abort(LOST);
        for (const file of files) await file.flush(neverAborted);
        const askedS = await batches.cancelAskedAt(batch.id, over);
        const cancelling = askedS === undefined ? {} : { status: "cancelling" as const, cancelling_at: askedS };
        await this.#put({ request_counts: counts(), ...cancelling });
        if (askedS !== undefined) this.#stop.abort(CANCELLED);
        else if (this.#nowS >= (batch.expires_at ?? Number.POSITIVE_INFINITY)) this.#stop.abort(EXPIRED);
      } catch (error) {
        const { code, message } = toDroverError(error);
        if (!over.aborted) logger.warn("batch.not_put", { batch: this.#record.batch.id, code, reason: message });
      }
      await sleepUnlessAborted(clock, BATCH_BEAT_MS, over);
    }
  }

  async #finish(
    open: readonly BatchLine[],
    output: LineFile,
    errors: LineFile,
    counts: () => BatchObject["request_counts"],
  ): Promise<void> {
    const { reason } = this.#stop.signal;
    if (reason === EXPIRED)
      for (const { customId } of open)
        if (!this.#answered.has(customId))
          errors.write(
            unansweredLine(`batch_req_${customId}`, customId, "batch_expired", "this request was not answered in time"),
          );
    await this.#put({ finalizing_at: this.#nowS, ...(reason === undefined && { status: "finalizing" }) });
    const [outputFile, errorFile] = [await output.finish(neverAborted), await errors.finish(neverAborted)];
    const end = reason === CANCELLED ? "cancelled" : reason === EXPIRED ? "expired" : "completed";
    await this.#put({
      status: end,
      [`${end}_at`]: this.#nowS,
      request_counts: counts(),
      output_file_id: outputFile?.id ?? null,
      error_file_id: errorFile?.id ?? null,
    });
  }

  /** Another router need not wait until this one counts as dead. */
  async #letGo(files: readonly LineFile[]): Promise<void> {
    for (const file of files) await file.flush(neverAborted);
    this.#record = { ...this.#record, aliveAtMs: 0 };
    await this.#options.batches.put(this.#record, neverAborted);
  }

  async #put(change: Partial<BatchObject>): Promise<void> {
    const batch = { ...this.#record.batch, ...change };
    this.#record = { ...this.#record, batch, aliveAtMs: this.#options.clock.now() };
    await this.#options.batches.put(this.#record, neverAborted);
  }
}

/** A batch whose file is gone fails like one with wrong lines. */
function missingFile(error: unknown): Awaited<ReturnType<typeof batchLines>> {
  const { code, message } = toDroverError(error);
  if (code !== "not_found") throw error;
  return { lines: [], faults: [{ code: "file_not_found", message, param: null, line: 0 }] };
}

import { type BatchLine, type BatchLineFault, type BatchObject, noSuchFile, readBatchLine } from "@drover/openai";
import { BATCH_ERRORS_MAX, BATCH_LINE_BYTES_MAX, BATCH_LINES_MAX } from "../limits.ts";
import type { StoredFiles } from "./stored-files.ts";

type LineFault = NonNullable<BatchObject["errors"]>["data"][number];

/** The requests of a batch's file, or what is wrong with its lines. */
export type BatchLines = Readonly<{ lines: readonly BatchLine[]; faults: readonly LineFault[] }>;

/** Reads the file of a tenant's batch, a part of it at a time. Errors: `not_found` for a file that is gone; `unavailable` of the store. */
export async function batchLines(
  files: StoredFiles,
  { input_file_id: id, endpoint }: BatchObject,
  tenant: string,
  signal: AbortSignal,
): Promise<BatchLines> {
  const reading = new BatchReading(endpoint);
  if ((await files.find(id, tenant, signal)) === undefined) throw noSuchFile("input_file_id");
  for await (const chunk of files.bytes(id, tenant, signal)) {
    reading.push(chunk);
    if (reading.isFull) break;
  }
  return reading.end();
}

/** A batch's file line by line. */
class BatchReading {
  readonly #endpoint: string;
  readonly #decoder = new TextDecoder();
  readonly #lines: BatchLine[] = [];
  readonly #faults: LineFault[] = [];
  readonly #ids = new Set<string>();
  #rest = "";
  #lineNumber = 0;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** Whether enough is wrong. */
  get isFull(): boolean {
    return this.#faults.length >= BATCH_ERRORS_MAX;
  }

  push(chunk: Uint8Array): void {
    this.#take(this.#decoder.decode(chunk, { stream: true }));
  }

  end(): BatchLines {
    this.#take(`${this.#decoder.decode()}\n`);
    if (this.#lines.length === 0 && this.#faults.length === 0) this.#fault("empty_file", "the file has no request");
    return { lines: this.#lines, faults: this.#faults };
  }

  #take(text: string): void {
    const pieces = (this.#rest + text).split("\n");
    this.#rest = pieces.pop() ?? "";
    // One that never ends is told of once, and not kept.
    if (this.#rest.length > BATCH_LINE_BYTES_MAX) pieces.push(this.#rest.slice(0, BATCH_LINE_BYTES_MAX + 1));
    if (this.#rest.length > BATCH_LINE_BYTES_MAX) this.#rest = "";
    for (const piece of pieces) {
      this.#lineNumber++;
      if (piece.trim() !== "" && !this.isFull) this.#line(piece);
    }
  }

  #line(text: string): void {
    const line = this.#read(text);
    if ("code" in line) this.#fault(line.code, line.message);
    else this.#lines.push(line);
  }

  #read(text: string): BatchLine | BatchLineFault {
    if (text.length > BATCH_LINE_BYTES_MAX)
      return { code: "line_too_long", message: `a line may have at most ${BATCH_LINE_BYTES_MAX} characters` };
    if (this.#lines.length === BATCH_LINES_MAX)
      return { code: "too_many_requests", message: `a file may have at most ${BATCH_LINES_MAX} requests` };
    const line = readBatchLine(text, this.#endpoint);
    if ("code" in line) return line;
    if (this.#ids.has(line.customId))
      return { code: "duplicate_custom_id", message: "custom_id is that of an earlier line" };
    this.#ids.add(line.customId);
    return line;
  }

  #fault(code: string, message: string): void {
    this.#faults.push({ code, message, param: null, line: this.#lineNumber });
  }
}

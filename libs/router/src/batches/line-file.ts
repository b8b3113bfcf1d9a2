import type { FileObject } from "@drover/openai";
import { FILE_CHUNK_BYTES } from "../limits.ts";
import type { FileFacts, StoredFiles } from "./stored-files.ts";

const encoder = new TextEncoder();

/** A file of lines that is written while a batch runs: what was put survives its router, which goes on behind it. */
export class LineFile {
  readonly #files: StoredFiles;
  readonly #facts: FileFacts;
  readonly #waiting: Uint8Array[] = [];
  #chunkCount = 0;
  #byteCount = 0;
  lineCount = 0;

  private constructor(files: StoredFiles, facts: FileFacts) {
    this.#files = files;
    this.#facts = facts;
  }

  /** Opens it behind the lines that it has, and gives `onLine` each of them. Errors: `unavailable` of the store. */
  static async open(
    files: StoredFiles,
    facts: FileFacts,
    onLine: (line: string) => void,
    signal: AbortSignal,
  ): Promise<LineFile> {
    const file = new LineFile(files, facts);
    for (;;) {
      const chunk = await files.chunk(facts.id, file.#chunkCount, signal);
      if (chunk === undefined) return file;
      file.#chunkCount++;
      file.#byteCount += chunk.byteLength;
      // Each part has whole lines.
      for (const line of new TextDecoder().decode(chunk).split("\n")) {
        if (line === "") continue;
        file.lineCount++;
        onLine(line);
      }
    }
  }

  /** Takes a line with its end; it is put with the next `flush`. */
  write(line: string): void {
    this.#waiting.push(encoder.encode(line));
    this.lineCount++;
  }

  /** Puts what was written since. Errors: those of the store; then it is still to be put. */
  async flush(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length > 0) {
      let count = 0;
      let byteCount = 0;
      while (count < this.#waiting.length && (count === 0 || byteCount < FILE_CHUNK_BYTES))
        byteCount += this.#waiting[count++]?.byteLength ?? 0;
      const bytes = Buffer.concat(this.#waiting.slice(0, count));
      await this.#files.putChunk(this.#facts, this.#chunkCount, bytes, signal);
      this.#waiting.splice(0, count);
      this.#chunkCount++;
      this.#byteCount += byteCount;
    }
  }

  /** Makes a file of it; undefined where it has no line. Errors: those of the store. */
  async finish(signal: AbortSignal): Promise<FileObject | undefined> {
    await this.flush(signal);
    if (this.lineCount === 0) return undefined;
    return this.#files.finish(this.#facts, this.#chunkCount, this.#byteCount, signal);
  }
}

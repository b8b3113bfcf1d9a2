import { randomUUID } from "node:crypto";
import { type Clock, DroverError, type PayloadStore } from "@drover/core";
import { type FileObject, noSuchFile } from "@drover/openai";
import { FILE_CHUNK_BYTES, FILES_BYTES_MAX, RETRY_AFTER_MS } from "../limits.ts";
import { StoredList } from "./stored-list.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Stored = Readonly<{ file: FileObject; chunkCount: number }>;

/** What is known of a file before its bytes are. */
export type FileFacts = Pick<FileObject, "id" | "filename" | "purpose">;

/** Files in parts, beside the payloads of waiting requests: kept by time, and of each router by bytes. */
export class StoredFiles {
  readonly list: StoredList;
  readonly #store: PayloadStore;
  readonly #clock: Clock;
  readonly #keptMs: number;
  /** Of what this router has put: bytes, and when they are gone. */
  readonly #own = new Map<string, Readonly<{ byteCount: number; untilMs: number }>>();

  constructor(store: PayloadStore, clock: Clock, keptMs: number) {
    this.list = new StoredList(store, "files", keptMs);
    this.#store = store;
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  static newId(): string {
    return `file-${randomUUID().replaceAll("-", "")}`;
  }

  /** Keeps a file. Errors: `overloaded` when this router has kept too much; `unavailable` or `overloaded` of the store. */
  async keep(facts: FileFacts, bytes: Uint8Array, signal: AbortSignal): Promise<FileObject> {
    this.#hold(facts.id, bytes.byteLength);
    let chunkCount = 0;
    for (let at = 0; at < bytes.byteLength; at += FILE_CHUNK_BYTES)
      await this.putChunk(facts.id, chunkCount++, bytes.slice(at, at + FILE_CHUNK_BYTES), signal);
    return this.finish(facts, chunkCount, bytes.byteLength, signal);
  }

  /** Puts one part of a file that is being written. Errors: those of the store. */
  putChunk(id: string, index: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#store.put(chunkKey(id, index), bytes, this.#keptMs, signal);
  }

  /** Undefined for the part after the last. Errors: `unavailable` of the store. */
  chunk(id: string, index: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#store.get(chunkKey(id, index), signal);
  }

  /** Makes a file of the parts that were put. Errors: those of the store. */
  async finish(facts: FileFacts, chunkCount: number, byteCount: number, signal: AbortSignal): Promise<FileObject> {
    const createdS = Math.floor(this.#clock.now() / 1000);
    const file: FileObject = {
      id: facts.id,
      object: "file",
      bytes: byteCount,
      created_at: createdS,
      expires_at: createdS + Math.floor(this.#keptMs / 1000),
      filename: facts.filename,
      purpose: facts.purpose,
      status: "processed",
    };
    const stored: Stored = { file, chunkCount };
    await this.#store.put(fileKey(facts.id), encoder.encode(JSON.stringify(stored)), this.#keptMs, signal);
    await this.list.add(facts.id, signal);
    return file;
  }

  /** Undefined where it is not kept. Errors: `unavailable` of the store. */
  async find(id: string, signal: AbortSignal): Promise<FileObject | undefined> {
    return (await this.#stored(id, signal))?.file;
  }

  /** Its bytes, part by part. Errors: `not_found` where it is not kept; `unavailable` of the store. */
  async *bytes(id: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stored = await this.#stored(id, signal);
    for (let index = 0; index < (stored?.chunkCount ?? 1); index++) {
      const chunk = stored && (await this.chunk(id, index, signal));
      if (chunk === undefined) throw noSuchFile();
      yield chunk;
    }
  }

  /** Errors: `not_found` where it is not kept; `unavailable` of the store. */
  async forget(id: string, signal: AbortSignal): Promise<void> {
    const stored = await this.#stored(id, signal);
    if (stored === undefined) throw noSuchFile();
    const chunks = Array.from({ length: stored.chunkCount }, (_, index) => chunkKey(id, index));
    await this.#store.delete([fileKey(id), ...chunks], signal);
    this.#own.delete(id);
    await this.list.remove(id, signal);
  }

  async #stored(id: string, signal: AbortSignal): Promise<Stored | undefined> {
    if (!/^file-[0-9a-f]{32}$/.test(id)) return undefined;
    const bytes = await this.#store.get(fileKey(id), signal);
    return bytes && (JSON.parse(decoder.decode(bytes)) as Stored);
  }

  #hold(id: string, byteCount: number): void {
    const nowMs = this.#clock.monotonic();
    for (const [own, { untilMs }] of this.#own) if (untilMs <= nowMs) this.#own.delete(own);
    const held = [...this.#own.values()].reduce((sum, one) => sum + one.byteCount, 0);
    if (held + byteCount > FILES_BYTES_MAX)
      throw new DroverError("overloaded", "too many bytes of files are kept here: delete some", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    this.#own.set(id, { byteCount, untilMs: nowMs + this.#keptMs });
  }
}

const fileKey = (id: string) => `file/${id}`;
const chunkKey = (id: string, index: number) => `file/${id}/${index}`;

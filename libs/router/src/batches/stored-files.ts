import { randomUUID } from "node:crypto";
import { type Clock, DroverError, type PayloadStore } from "@drover/core";
import { type FileObject, noSuchFile } from "@drover/openai";
import { FILE_CHUNK_BYTES, FILES_BYTES_MAX, RETRY_AFTER_MS, TENANT_FILES_BYTES_MAX } from "../limits.ts";
import { ownerOf, StoredLists } from "./stored-list.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Without a tenant it is the house's own. */
type Stored = Readonly<{ file: FileObject; chunkCount: number; tenant?: string }>;

/** What is known of a file before its bytes are: `tenant` is whose it is, empty for the house's own keys and where nobody is told apart. */
export type FileFacts = Pick<FileObject, "id" | "filename" | "purpose"> &
  Readonly<{
    tenant: string;
    /** When it may be gone at the latest; as long as all files are kept when absent. */
    expiresAfterMs?: number | undefined;
  }>;

/** Files in parts, beside the payloads of waiting requests: each found by its tenant alone, kept by time, and of each router by bytes. */
export class StoredFiles {
  readonly lists: StoredLists;
  readonly #store: PayloadStore;
  readonly #clock: Clock;
  readonly #keptMs: number;
  /** Of what this router has put: bytes, and when they are gone. */
  readonly #own = new Map<string, Readonly<{ tenant: string; byteCount: number; untilMs: number }>>();

  constructor(store: PayloadStore, clock: Clock, keptMs: number) {
    this.lists = new StoredLists(store, "files", keptMs);
    this.#store = store;
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  static newId(): string {
    return `file-${randomUUID().replaceAll("-", "")}`;
  }

  /** Keeps a file. Errors: `overloaded` when this router has kept too much, of all or of this tenant; `unavailable` or `overloaded` of the store. */
  async keep(facts: FileFacts, bytes: Uint8Array, signal: AbortSignal): Promise<FileObject> {
    this.#hold(facts, bytes.byteLength);
    let chunkCount = 0;
    for (let at = 0; at < bytes.byteLength; at += FILE_CHUNK_BYTES)
      await this.putChunk(facts, chunkCount++, bytes.slice(at, at + FILE_CHUNK_BYTES), signal);
    return this.finish(facts, chunkCount, bytes.byteLength, signal);
  }

  /** Puts one part of a file that is being written. Errors: those of the store. */
  putChunk(facts: FileFacts, index: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#store.put(chunkKey(facts.id, index), bytes, this.#keptMsOf(facts), signal);
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
      expires_at: createdS + Math.floor(this.#keptMsOf(facts) / 1000),
      filename: facts.filename,
      purpose: facts.purpose,
      status: "processed",
    };
    const stored: Stored = { file, chunkCount, tenant: facts.tenant };
    await this.#store.put(fileKey(facts.id), encoder.encode(JSON.stringify(stored)), this.#keptMsOf(facts), signal);
    await this.lists.of(facts.tenant).add(facts.id, signal);
    return file;
  }

  /** Undefined where it is not kept, or is another tenant's. Errors: `unavailable` of the store. */
  async find(id: string, tenant: string, signal: AbortSignal): Promise<FileObject | undefined> {
    return (await this.#stored(id, tenant, signal))?.file;
  }

  /** Its bytes, part by part. Errors: `not_found` where it is not kept, or is another tenant's; `unavailable` of the store. */
  async *bytes(id: string, tenant: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stored = await this.#stored(id, tenant, signal);
    for (let index = 0; index < (stored?.chunkCount ?? 1); index++) {
      const chunk = stored && (await this.chunk(id, index, signal));
      if (chunk === undefined) throw noSuchFile();
      yield chunk;
    }
  }

  /** Errors: as `bytes`. */
  async forget(id: string, tenant: string, signal: AbortSignal): Promise<void> {
    const stored = await this.#stored(id, tenant, signal);
    if (stored === undefined) throw noSuchFile();
    const chunks = Array.from({ length: stored.chunkCount }, (_, index) => chunkKey(id, index));
    await this.#store.delete([fileKey(id), ...chunks], signal);
    this.#own.delete(id);
    await this.lists.of(tenant).remove(id, signal);
  }

  async #stored(id: string, tenant: string, signal: AbortSignal): Promise<Stored | undefined> {
    if (!/^file-[0-9a-f]{32}$/.test(id)) return undefined;
    const bytes = await this.#store.get(fileKey(id), signal);
    const stored = bytes && (JSON.parse(decoder.decode(bytes)) as Stored);
    return stored !== undefined && ownerOf(stored) === tenant ? stored : undefined;
  }

  #keptMsOf({ expiresAfterMs = Number.POSITIVE_INFINITY }: FileFacts): number {
    return Math.min(this.#keptMs, expiresAfterMs);
  }

  #hold(facts: FileFacts, byteCount: number): void {
    const { id, tenant } = facts;
    const nowMs = this.#clock.monotonic();
    for (const [own, { untilMs }] of this.#own) if (untilMs <= nowMs) this.#own.delete(own);
    const all = [...this.#own.values()];
    const sum = (kept: typeof all) => kept.reduce((bytes, one) => bytes + one.byteCount, byteCount);
    const ofTenant = all.filter((one) => one.tenant === tenant);
    if (sum(all) > FILES_BYTES_MAX || (tenant !== "" && sum(ofTenant) > TENANT_FILES_BYTES_MAX))
      throw new DroverError("overloaded", "too many bytes of files are kept here: delete some", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    this.#own.set(id, { tenant, byteCount, untilMs: nowMs + this.#keptMsOf(facts) });
  }
}

const fileKey = (id: string) => `file/${id}`;
const chunkKey = (id: string, index: number) => `file/${id}/${index}`;

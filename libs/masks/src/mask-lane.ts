import { hash } from "node:crypto";
import { DroverError, type MaskRequest, neverAborted, toDroverError } from "@drover/core";
import { ThreadPool } from "@drover/threads";
import { COMPILE_MS_MAX, GRAMMARS_KEPT_MAX, MASK_QUEUE_MAX } from "./limits.ts";
import type { MaskAnswer, MaskMessage, MaskThreadSettings } from "./mask-messages.ts";
import { type CursorLane, ThreadCursor } from "./thread-cursor.ts";

const PROGRAM = new URL("./mask-thread.ts", import.meta.url);

/** One thread with its cursors: what they accept in one turn of the event loop is one call. It starts with its first cursor. */
export class MaskLane implements CursorLane, AsyncDisposable {
  readonly #settings: MaskThreadSettings;
  readonly #pool: ThreadPool<MaskMessage, MaskAnswer>;
  readonly #cursors = new Map<number, ThreadCursor>();
  /** Hashes of grammars that its thread has compiled, the one that was not used for longest first. */
  readonly #compiled = new Set<string>();
  readonly #advancing = new Set<Promise<void>>();
  #accepted: [id: number, tokenId: number][] = [];
  #closed: number[] = [];
  #nextId = 1;
  #compilingCount = 0;

  constructor(settings: MaskThreadSettings) {
    this.#settings = settings;
    this.#pool = new ThreadPool({
      program: PROGRAM,
      settings,
      noun: "grammar",
      threads: 1,
      queueMax: MASK_QUEUE_MAX,
      runMsMax: COMPILE_MS_MAX,
    });
  }

  get cursorCount(): number {
    return this.#cursors.size;
  }

  /** Whether its thread has this grammar, or is about to. */
  has(grammar: string): boolean {
    return this.#compiled.has(hash("sha256", grammar));
  }

  /** The masks that are about to come. A grammar that is being compiled holds them up for longer than anybody should wait. */
  get settling(): readonly Promise<void>[] {
    return this.#compilingCount > 0 ? [] : [...this.#advancing];
  }

  begin(request: MaskRequest): ThreadCursor {
    const id = this.#nextId++;
    const cursor = new ThreadCursor(this, request, id, this.#settings.vocabSize);
    this.#cursors.set(id, cursor);
    this.open(cursor);
    return cursor;
  }

  /** Has the thread make a cursor, also once more where the one before it has ended. */
  open(cursor: ThreadCursor): void {
    const { opening } = cursor;
    const isNew = !this.has(opening.grammar);
    this.#use(opening.grammar);
    if (isNew) this.#compilingCount += 1;
    void this.#ask(opening).then(
      (answer) => {
        if (isNew) this.#compilingCount -= 1;
        this.#answered([opening.id], answer);
      },
      (error: unknown) => {
        if (isNew) this.#compilingCount -= 1;
        this.#compiled.delete(hash("sha256", opening.grammar));
        cursor.fail(openFault(error));
      },
    );
  }

  /** A cursor's next token. It is told with all others of this turn of the event loop. */
  advance(id: number, tokenId: number): void {
    this.#schedule();
    this.#accepted.push([id, tokenId]);
  }

  close(id: number): void {
    this.#schedule();
    this.#cursors.delete(id);
    this.#closed.push(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }

  #schedule(): void {
    if (this.#accepted.length === 0 && this.#closed.length === 0) queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    const [accepted, closed] = [this.#accepted, this.#closed];
    this.#accepted = [];
    this.#closed = [];
    const ids = accepted.map(([id]) => id);
    const told = this.#ask({ kind: "advance", accepted, closed }).then(
      (answer) => this.#answered(ids, answer),
      () => {
        for (const id of ids) this.#cursors.get(id)?.lost();
      },
    );
    this.#advancing.add(told);
    void told.then(() => this.#advancing.delete(told));
  }

  #ask(message: MaskMessage): Promise<MaskAnswer> {
    return this.#pool.run({ post: () => [message, []] }, neverAborted);
  }

  #answered(ids: readonly number[], { stuck, unknown }: MaskAnswer): void {
    for (const id of ids) {
      const cursor = this.#cursors.get(id);
      if (unknown.includes(id)) cursor?.lost();
      else if (stuck.includes(id)) cursor?.fail(new DroverError("internal", "the grammar allows no token here"));
      else cursor?.made();
    }
  }

  #use(grammar: string): void {
    const key = hash("sha256", grammar);
    this.#compiled.delete(key);
    this.#compiled.add(key);
    for (const oldest of this.#compiled) {
      if (this.#compiled.size <= GRAMMARS_KEPT_MAX) return;
      this.#compiled.delete(oldest);
    }
  }
}

/** Why a grammar cannot be used: where it took too long, or its thread has died of it, another worker would fare no better. */
function openFault(error: unknown): DroverError {
  const fault = toDroverError(error);
  if (fault.code === "deadline_exceeded")
    return new DroverError("invalid_argument", `takes longer than ${COMPILE_MS_MAX} ms to compile`, { cause: error });
  if (fault.code === "internal") return new DroverError("invalid_argument", "cannot be compiled", { cause: error });
  return fault;
}

import type { RequestEvent, RequestId, Resume } from "@drover/core";
import { endedUnheard } from "./active-request.ts";
import type { GenerationTask } from "./task.ts";
import { Tombstones } from "./tombstones.ts";

/**
 * Attempts whose last event went to their router's stream, and of which no log is left. A connection that breaks, or that carries nothing one
 * way, can lose that event and all before it, and the router asks after them when it is back.
 */
export class EndedAttempts {
  readonly #ended = new Tombstones();

  add({ requestId, attempt }: Pick<GenerationTask, "requestId" | "attempt">): void {
    this.#ended.add(requestId, attempt);
  }

  /**
   * What a router hears of attempts that it still waits for and that are over here: those that it knows to have begun here and that nobody
   * has, and those that ended here without its having heard even of their beginning.
   */
  unheard(resumes: readonly Resume[], running: Readonly<{ has(id: RequestId): boolean }>): readonly RequestEvent[] {
    const isOver = ({ requestId, attempt, started }: Resume) =>
      !running.has(requestId) && (started || this.#ended.has(requestId, attempt));
    return resumes.filter(isOver).map(endedUnheard);
  }
}

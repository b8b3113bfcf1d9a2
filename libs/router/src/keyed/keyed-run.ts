import type { Generation } from "../requests/generation.ts";
import type { AnswerJournal } from "./answer-journal.ts";
import type { Origin } from "./origin.ts";

/** A keyed request at its router's hands. */
export type KeyedRun = Readonly<{
  origin: Origin;
  /** Of the router, among those that had the request; of one that another router computes, that one's until it is this one's. */
  readonly epoch: number;
  journal: AnswerJournal;
  /** Whether it is this router's now. */
  readonly isOwn: boolean;
  /**
   * Of a request that another router computes: has its generations take what that one delivers, as it comes, and resolves when nothing is to be done any
   * more, which is false, or when the request is this router's, which is true. Never rejects.
   */
  follow?: (generations: readonly Generation[]) => Promise<boolean>;
}>;

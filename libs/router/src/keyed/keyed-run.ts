import type { AnswerJournal } from "./answer-journal.ts";
import type { Origin } from "./origin.ts";

/** A keyed request at its router's hands. */
export type KeyedRun = Readonly<{
  origin: Origin;
  /** Of the router, among those that had the request. */
  epoch: number;
  journal: AnswerJournal;
}>;

import { neverAborted } from "@drover/core";

/** The moments of a router's end; each comes after the one before, or with it. */
export type RouterEnding = Readonly<{
  /** It is not ready any more, and still takes what comes. */
  asked: AbortSignal;
  /** Nothing new is taken. */
  refusing: AbortSignal;
  /** What still runs is cut off. */
  over: AbortSignal;
}>;

/** Of a router that is only ever closed. */
export const neverEnding: RouterEnding = { asked: neverAborted, refusing: neverAborted, over: neverAborted };

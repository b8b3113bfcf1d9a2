import { type Clock, sleepUnlessAborted, whenAborted } from "@drover/core";
import type { Ending } from "@drover/process";
import { DRAIN_POLL_MS } from "./limits.ts";

/** A part of a worker that may have something to finish before the worker ends. */
export type UnfinishedWork = Readonly<{
  /** Nothing new is taken from now on. */
  begin?: () => void;
  isBusy: () => boolean;
  /** What is not finished goes back to who sent it; returns how many requests these are. */
  handBack?: () => number;
}>;

/** Resolves once the worker takes nothing new and every part has finished, or the time for that is over. Returns whether all have finished. */
export async function finished(ending: Ending, parts: readonly UnfinishedWork[], clock: Clock): Promise<boolean> {
  await whenAborted(ending.refusing);
  for (const { begin } of parts) begin?.();
  const isBusy = () => parts.some((part) => part.isBusy());
  while (!ending.over.aborted && isBusy()) await sleepUnlessAborted(clock, DRAIN_POLL_MS, ending.over);
  return !isBusy();
}

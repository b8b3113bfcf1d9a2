import { type Clock, DroverError, sleepUnlessAborted } from "@drover/core";
import { SILENT_WAIT_PARTS } from "./limits.ts";

const ANSWERED = new DroverError("cancelled", "the call is over");

/** Resolves to true as soon as a call is over, and to false where it is not within so many milliseconds. */
export async function isOverWithin(clock: Clock, asked: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleepUnlessAborted(clock, ms, timer.signal).then(() => timer.signal.aborted);
  const isOver = await Promise.race([asked.then(() => true), late]);
  timer.abort(ANSWERED);
  return isOver;
}

/** The same for a peer that would be silent then: answers that have come while this process itself stood still are read before it is judged. */
export async function isOverBeforeSilence(clock: Clock, asked: Promise<unknown>, silentMs: number): Promise<boolean> {
  for (let part = 0; part < SILENT_WAIT_PARTS; part++)
    if (await isOverWithin(clock, asked, silentMs / SILENT_WAIT_PARTS)) return true;
  return false;
}

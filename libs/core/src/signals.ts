import type { Clock } from "./clock.ts";
import { DroverError, type ErrorCode } from "./errors.ts";
import { sleepUnlessAborted } from "./wakeup.ts";

/** Never aborts: for the few calls whose end is bounded by other means. */
export const neverAborted: AbortSignal = new AbortController().signal;

/** What the clock is told once a call has ended in time. */
const ANSWERED = new DroverError("cancelled", "the call is over");

/** A bound on how long a call may take, and the fault that the caller gets beyond it: `deadline_exceeded`, unless another code is named. */
export type TimeLimit = Readonly<{ ms: number; message: string; code?: ErrorCode }>;

/**
 * Makes a call that ends when its time is over, even where it does not heed its signal. The call's signal aborts then with the limit's fault,
 * or with the caller's own reason where the caller's signal aborts sooner; what the call still comes to is dropped.
 * Errors: the limit's fault; the signal's reason; those of the call.
 */
export async function withTimeout<T>(
  limit: TimeLimit,
  clock: Clock,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const limited = new AbortController();
  const leave = () => limited.abort(signal.reason);
  // Calls that nobody gives up would stand in one long list, which each of them walks through.
  const mayLeave = signal !== neverAborted;
  if (mayLeave) signal.addEventListener("abort", leave, { once: true });
  let disarm: (() => void) | undefined;
  try {
    const ended = untilAborted(call(limited.signal), limited.signal);
    disarm = callAfter(clock, limit.ms, () =>
      limited.abort(new DroverError(limit.code ?? "deadline_exceeded", limit.message)),
    );
    return await ended;
  } finally {
    if (mayLeave) signal.removeEventListener("abort", leave);
    disarm?.();
  }
}

function callAfter(clock: Clock, ms: number, then: () => void): () => void {
  if (clock.alarm !== undefined) return clock.alarm(ms, then);
  const over = new AbortController();
  void sleepUnlessAborted(clock, ms, over.signal).then(() => {
    if (!over.signal.aborted) then();
  });
  return () => over.abort(ANSWERED);
}

/** What the work comes to, or the signal's reason once it has aborted: the work is left behind then, and its end ignored. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    work.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        // Work that heeds the signal may fail first, in words of its own.
        reject(signal.aborted ? signal.reason : error);
      },
    );
    // Work that has ended already is heard first.
    if (signal.aborted) void Promise.resolve().then(onAbort);
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Resolves when the signal aborts. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

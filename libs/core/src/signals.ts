/** Never aborts: for the few calls whose end is bounded by other means. */
export const neverAborted: AbortSignal = new AbortController().signal;

/** Aborts `ms` from now, or with the given signal if that is sooner. */
export function withTimeout(ms: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}

/** Resolves when the signal aborts. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

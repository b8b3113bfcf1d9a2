/** `ended` at the first SIGINT, SIGTERM or SIGHUP, or when one of the others aborts; `hurry` at the next signal. */
export function endSignals(others: readonly AbortSignal[]): { ended: AbortSignal; hurry: AbortSignal } {
  const ended = new AbortController();
  const hurry = new AbortController();
  const end = () => (ended.signal.aborted ? hurry.abort() : ended.abort());
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, end);
  for (const other of others) {
    other.addEventListener("abort", () => ended.abort(), { once: true });
    if (other.aborted) ended.abort();
  }
  return { ended: ended.signal, hurry: hurry.signal };
}

/** Resolves when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

import { DroverError } from "@drover/core";

/** `ended` at the first SIGINT, SIGTERM or SIGHUP, or when one of the others aborts; `hurry` at the next signal. */
export function endSignals(others: readonly AbortSignal[]): { ended: AbortSignal; hurry: AbortSignal } {
  const ended = new AbortController();
  const hurry = new AbortController();
  const interrupted = new DroverError("cancelled", "it was told to end");
  const end = () => (ended.signal.aborted ? hurry : ended).abort(interrupted);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, end);
  for (const other of others) {
    other.addEventListener("abort", () => ended.abort(other.reason), { once: true });
    if (other.aborted) ended.abort(other.reason);
  }
  return { ended: ended.signal, hurry: hurry.signal };
}

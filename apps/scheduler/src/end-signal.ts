/** What is still under way then is cut off: the lease runs out by itself, and so do the locks of jobs. */
const SHUTDOWN_MS_MAX = 5000;

/** Aborts at SIGTERM, at SIGINT and when the parent is gone; the process ends a bounded time later at the latest. */
export function endSignal(parentGone: AbortSignal): AbortSignal {
  const ended = new AbortController();
  const end = () => {
    ended.abort();
    setTimeout(() => process.exit(0), SHUTDOWN_MS_MAX).unref();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, end);
  parentGone.addEventListener("abort", end, { once: true });
  if (parentGone.aborted) end();
  return ended.signal;
}

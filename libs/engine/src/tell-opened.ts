import type { Choice } from "./choice.ts";
import type { EngineObserver } from "./engine-options.ts";

/** Tells that a choice's request got KV behind so many rows that were there, and of one whose client has tokens already that it goes on. */
export function tellOpened(
  { request, promptLength, tokens }: Choice,
  cachedCount: number,
  observer: Pick<EngineObserver, "prefixFound" | "resumed">,
) {
  const { requestId, attempt } = request.task;
  observer.prefixFound(promptLength, cachedCount);
  if (request.hasTold) observer.resumed?.(requestId, attempt, { knownCount: tokens.length, cachedCount });
}

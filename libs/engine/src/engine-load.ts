import { type AdmissionOptions, tokensToStore } from "./admission.ts";
import type { Choice } from "./choice.ts";
import type { EngineLoad } from "./engine-options.ts";

/** What these choices are to their worker. */
export function engineLoad(choices: readonly Choice[], options: AdmissionOptions): EngineLoad {
  const runningCount = choices.filter(({ sequence }) => sequence !== undefined).length;
  const pendingTokenCount = choices.reduce((sum, choice) => sum + choice.pendingTokenCount, 0);
  const tokenCountToStore = tokensToStore(choices, options);
  return { runningCount, waitingCount: choices.length - runningCount, pendingTokenCount, tokenCountToStore };
}

import type { DrainReply } from "@drover/fleet";

/** What an answer means for who waits: it may go on, or has ended with the exit status. */
export type DrainProgress = Readonly<{ text: string; status: 0 | 1 | undefined }>;

/** `incarnation` is that of the first answer: a worker that was started anew meanwhile is not asked to drain. */
export function drainProgress(worker: string, reply: DrainReply, incarnation: string): DrainProgress {
  if (reply.incarnation !== incarnation) {
    return { text: `${worker} was started anew meanwhile, and does not drain.`, status: 1 };
  }
  const { state } = reply;
  if (!reply.draining || state === undefined) return { text: `${worker} is asked to drain.`, status: undefined };
  if (state.drained) return { text: `${worker} is drained: it may be ended.`, status: 0 };
  if (state.obstacle !== undefined) {
    return {
      text: `${worker} cannot be drained: ${state.obstacle}. It stays asked: --undo takes that back.`,
      status: 1,
    };
  }
  const parts = [
    ...(state.expertsDrained ? [] : [`${state.expertCount} experts are there until others have loaded them`]),
    ...(state.requestCount === 0 ? [] : [`${state.requestCount} requests run`]),
  ];
  return { text: `${worker} drains${parts.length === 0 ? "" : `: ${parts.join(", ")}`}.`, status: undefined };
}

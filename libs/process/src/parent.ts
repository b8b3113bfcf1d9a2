import { DroverError, neverAborted } from "@drover/core";

/** What a child process tells the one that started it. */
export type Announcement =
  | Readonly<{ kind: "listening"; addresses: Readonly<Record<string, string>> }>
  | Readonly<{ kind: "progress"; text: string }>
  | Readonly<{ kind: "ready" }>;

export type Parent = Readonly<{
  announce(message: Announcement): void;
  /** Aborts when the parent has died or let go; never without a parent. */
  gone: AbortSignal;
}>;

/** Connects to the parent that started this process with an IPC channel; without one, announcements go nowhere. */
export function attachParent(): Parent {
  if (process.send === undefined) return { announce: () => undefined, gone: neverAborted };
  const gone = new AbortController();
  const onDisconnect = () => gone.abort(new DroverError("cancelled", "the parent process is gone"));
  if (process.connected) process.once("disconnect", onDisconnect);
  else onDisconnect();
  // The channel alone must not keep a process alive that has nothing else to do.
  process.channel?.unref();
  return {
    announce: (message) => {
      if (!process.connected) return;
      // A parent that dies while the message is under way is told by `gone`.
      process.send?.(message, undefined, undefined, () => undefined);
    },
    gone: gone.signal,
  };
}

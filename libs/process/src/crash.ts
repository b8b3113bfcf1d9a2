import type { Logger } from "@drover/core";
import { CAUSES_MAX } from "./limits.ts";

/** The exit status of a process that a fault or a bug has ended. */
export const FAILURE_EXIT_STATUS = 1;

/** Makes whatever nobody has caught end this process, with its stack as one line of the log. */
export function attachCrash(kind: string, logger: Logger): void {
  // Rejections that nobody handles, and what ends a thread that nobody listens to, arrive here too.
  process.on("uncaughtException", (error: unknown) => crash(kind, logger, error));
}

/** Ends this process because of a bug: logs `KIND.crashed` with the stack, and exits with status 1 whether or not that could be written. */
export function crash(kind: string, logger: Logger, error: unknown): never {
  try {
    const reason = error instanceof Error ? error.message : String(error);
    logger.error(`${kind}.crashed`, { reason, stack: stackText(error) });
  } finally {
    process.exit(FAILURE_EXIT_STATUS);
  }
}

/** Where an error was thrown, and where what caused it was: the error's own stack first. */
function stackText(error: unknown): string {
  const stacks: string[] = [];
  const waiting: unknown[] = [error];
  while (stacks.length < CAUSES_MAX && waiting.length > 0) {
    const next = waiting.shift();
    stacks.push(next instanceof Error ? (next.stack ?? String(next)) : String(next));
    waiting.push(...causesOf(next));
  }
  return stacks.join("\ncaused by ");
}

function causesOf(error: unknown): readonly unknown[] {
  if (!(error instanceof Error)) return [];
  const causes = [
    error.cause,
    ...(error instanceof AggregateError ? error.errors : []),
    ...(error instanceof SuppressedError ? [error.error, error.suppressed] : []),
  ];
  return causes.filter((cause) => cause !== undefined);
}

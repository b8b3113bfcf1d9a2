import { totalmem } from "node:os";
import type { Logger } from "@drover/core";
import { memoryLines, ROUTER_MEMORY_DEFAULT, type RouterMemory, routerMemory } from "@drover/router";

/** The flags that the router's memory follows from, by their names in its configuration. */
export type MemoryFlags = Readonly<
  Record<
    | "maxBody"
    | "maxRequests"
    | "maxConnections"
    | "batchRequests"
    | "imageThreads"
    | "bodyMemory"
    | "imageMemory"
    | "promptMemory"
    | "answerMemory"
    | "unreadMemory",
    number
  >
>;

/** Bytes that requests may keep, by kind. */
export const memoryLimits = (flags: MemoryFlags) => ({
  bodies: flags.bodyMemory,
  images: flags.imageMemory,
  prompts: flags.promptMemory,
  answers: flags.answerMemory,
  unread: flags.unreadMemory,
});

/** What the router may hold by its flags. */
export function memoryOf(flags: MemoryFlags): RouterMemory {
  const { maxBody, maxRequests, maxConnections, batchRequests, imageThreads } = flags;
  return routerMemory({
    ...ROUTER_MEMORY_DEFAULT,
    ...{ maxBody, maxRequests, maxConnections, batchRequests, imageThreads },
    memory: memoryLimits(flags),
  });
}

/** For `--help`. */
export const memoryText = (flags: MemoryFlags): string =>
  ["Memory that a router may take with these flags, in parts:", ...memoryLines(memoryOf(flags))].join("\n");

/** Bytes that this process may have: its control group's limit, or the machine's. */
export function memoryAllowed(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

const MIB = 2 ** 20;
const inMib = (bytes: number) => Math.ceil(bytes / MIB);

/** Says in the log what the router may hold, and warns where that is more than it may have. Returns what it may hold. */
export function tellMemory(flags: MemoryFlags, allowedBytes: number, logger: Logger): RouterMemory {
  const memory = memoryOf(flags);
  const { parts, totalBytes, restingBytes } = memory;
  const inParts = parts.map(({ name, bytes }) => `${name} ${inMib(bytes)}`).join(", ");
  logger.info("router.memory", { mib: inMib(totalBytes), restingMib: inMib(restingBytes), parts: inParts });
  if (totalBytes > allowedBytes)
    logger.warn("router.memory_short", {
      mib: inMib(totalBytes),
      allowedMib: inMib(allowedBytes),
      hint: `what its flags let it hold is more than it may have: lower ${flagsOf(memory)}, or give it more`,
    });
  return memory;
}

/** The flags behind the sum, those of its larger parts first. */
function flagsOf({ parts }: RouterMemory): string {
  const flags = [...parts].sort((a, b) => b.bytes - a.bytes).flatMap((part) => part.flags);
  return [...new Set(flags)].map((flag) => `--${flag}`).join(", ");
}

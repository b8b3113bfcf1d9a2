import {
  BATCH_LINE_BYTES_MAX,
  BATCH_REQUESTS_DEFAULT,
  BODY_BYTES_MAX,
  CONNECTIONS_MAX_DEFAULT,
  REQUESTS_MAX_DEFAULT,
  UNREAD_SHARE_BYTES,
} from "../limits.ts";
import { MEMORY_LIMITS_DEFAULT, type MemoryLimits } from "./memory-budgets.ts";

/** What of a router's flags its memory follows from. */
export type RouterMemorySettings = Readonly<{
  maxBody: number;
  maxRequests: number;
  maxConnections: number;
  batchRequests: number;
  imageThreads: number;
  memory: MemoryLimits;
}>;

export const ROUTER_MEMORY_DEFAULT: RouterMemorySettings = {
  maxBody: BODY_BYTES_MAX,
  maxRequests: REQUESTS_MAX_DEFAULT,
  maxConnections: CONNECTIONS_MAX_DEFAULT,
  batchRequests: BATCH_REQUESTS_DEFAULT,
  imageThreads: 1,
  memory: MEMORY_LIMITS_DEFAULT,
};

/** A part of the sum, and the flags that it follows from. */
type MemoryPart = Readonly<{ name: string; bytes: number; flags: readonly string[] }>;

export type RouterMemory = Readonly<{
  parts: readonly MemoryPart[];
  /** Of all parts. */
  totalBytes: number;
  /** Of a router that has been at work, while it has nothing to do. */
  restingBytes: number;
}>;

const MIB = 2 ** 20;

/**
 * What the parts of the sum are made of; measured by `bench/router-memory.ts --fill` (docs/router-memory.md), and the same in the chart's
 * `drover.routerMemory`, which a test holds to these.
 */
export const MEMORY_FACTORS = {
  /** Program, vocabulary, the heaps of all threads at rest, and pages that they keep after work. */
  restMib: 640,
  /** Threads of each pool that reads bodies or encodes prompts. */
  threads: 2,
  /** A body that is parsed, by its bytes: 32 MiB of token ids take the most. */
  reading: 10,
  /** A prompt that is encoded, by its body's bytes: a text of which each character is a token takes the most. */
  encoding: 27,
  /** A large picture that is decoded and turned, on its own thread, and one on each other thread. */
  largePictureMib: 550,
  pictureMib: 120,
  /** A batch's file while its lines are read, by its bytes; one is worked on at a time. */
  batchFile: 4,
  /** A line of it that is answered: its text, and what it is parsed to. */
  batchLine: 8,
  /** A connection with nothing under way, and what replies may have unread before they are counted; of HTTP and of gRPC. */
  connectionKib: 40,
  /** What is kept of what was: entries of kept responses, names of requests, tenants, series. */
  keptMib: 48,
  /** What a budget's byte takes: with what collections have not found yet, and what lies between. */
  bodies: 2,
  /** Tiles, and a quarter of them each for files that wait and for tiles that are remembered. */
  images: 1.5,
  prompts: 2.5,
  answers: 1.5,
  unread: 2,
} as const;

/** The sum of all that a router may hold, by its flags. */
export function routerMemory(settings: RouterMemorySettings): RouterMemory {
  const f = MEMORY_FACTORS;
  const { maxBody, maxRequests, maxConnections, batchRequests, imageThreads, memory } = settings;
  const unread = memory.unread + maxRequests * UNREAD_SHARE_BYTES;
  const parts: MemoryPart[] = [
    part("at rest", f.restMib * MIB),
    part("threads that read bodies", f.threads * f.reading * maxBody, "max-body"),
    part("threads that encode prompts", f.threads * f.encoding * maxBody, "max-body"),
    part("threads that decode pictures", (f.largePictureMib + f.pictureMib * imageThreads) * MIB, "image-threads"),
    part(
      "batches",
      f.batchFile * maxBody + f.batchLine * BATCH_LINE_BYTES_MAX * batchRequests,
      "max-body",
      "batch-requests",
    ),
    part("connections", 2 * f.connectionKib * 1024 * maxConnections, "max-connections"),
    part("bodies that have come", f.bodies * memory.bodies, "body-memory"),
    part("pictures' tiles", f.images * memory.images, "image-memory"),
    part("prompts' tokens", f.prompts * memory.prompts, "prompt-memory"),
    part("answers", f.answers * memory.answers, "answer-memory"),
    part("what clients have not read", f.unread * unread, "unread-memory", "max-requests"),
    part("what is kept of requests that are over", f.keptMib * MIB),
  ];
  const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  return { parts, totalBytes, restingBytes: f.restMib * MIB };
}

const part = (name: string, bytes: number, ...flags: readonly string[]): MemoryPart => ({ name, bytes, flags });

/** The sum as lines of text: each part, and the flags that it follows from. */
export function memoryLines({ parts, totalBytes }: RouterMemory): string[] {
  const rows = [
    ...parts.map(({ name, bytes, flags }) => [name, mib(bytes), flags.map((flag) => `--${flag}`).join(", ")] as const),
    ["in all", mib(totalBytes), ""] as const,
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, size, flags]) => `  ${name.padEnd(width)} ${size.padStart(7)} MiB  ${flags}`.trimEnd());
}

const mib = (bytes: number): string => String(Math.ceil(bytes / MIB));

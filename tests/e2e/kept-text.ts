import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { openRedis } from "@drover/queue";

type Redis = ReturnType<typeof openRedis>;

/** A text, and its token ids, in every form in which a store may have them. */
export function spellings(text: string, ids: readonly number[]): readonly Buffer[] {
  const words = Buffer.from(Uint32Array.from(ids).buffer);
  const plain = [Buffer.from(text), Buffer.from(ids.flatMap(varint)), words, Buffer.from(ids.join(","))];
  return plain.flatMap((bytes) => [bytes, ...inBase64(bytes)]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}

/** In base64 from whatever byte on, without the characters that others share. */
const inBase64 = (bytes: Buffer) =>
  [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes, Buffer.alloc(3)]).toString("base64");
    return Buffer.from(text.slice(4, 4 + Math.floor((bytes.length - 4) / 3) * 4));
  });

const holds = (bytes: Buffer, needles: readonly Buffer[]) => needles.some((needle) => bytes.includes(needle));

/** Keys of all of Redis whose name or value holds one of the spellings. */
export async function keysThatHold(redis: Redis, needles: readonly Buffer[]): Promise<string[]> {
  const found: string[] = [];
  for (const key of await redis.keys("*"))
    if (holds(Buffer.from(key), needles) || holds(Buffer.concat(await storedAt(redis, key)), needles)) found.push(key);
  return found;
}

async function storedAt(redis: Redis, key: string): Promise<Buffer[]> {
  switch (await redis.type(key)) {
    case "string":
      return [(await redis.getBuffer(key)) ?? Buffer.alloc(0)];
    case "hash":
      return Object.entries(await redis.hgetallBuffer(key)).flatMap(([field, value]) => [Buffer.from(field), value]);
    case "list":
      return redis.lrangeBuffer(key, 0, -1);
    case "zset":
      return redis.zrangeBuffer(key, "0", "-1");
    case "set":
      return redis.smembersBuffer(key);
    case "stream":
      return (await redis.xrangeBuffer(key, "-", "+")).flatMap(([id, fields]) => [id, ...fields]);
    default:
      return [];
  }
}

/** Whether any of Redis's own files holds one of the spellings. */
export async function filesHold(directory: string, needles: readonly Buffer[]): Promise<boolean> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && holds(await readFile(join(entry.parentPath, entry.name)), needles)) return true;
  return false;
}

import { createHash } from "node:crypto";
import type { Checkpoint } from "../files/checkpoint.ts";

/** Bytes read in the middle of each tensor. */
const SAMPLE_BYTES = 256;

/**
 * Tells checkpoints apart also where only their numbers differ: the fingerprint of config and places, and some bytes of every tensor.
 * Reading all of them would take as long as the conversion.
 */
export async function sourceDigest(checkpoint: Checkpoint, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256").update(checkpoint.fingerprint);
  for (const { name, byteCount } of [...checkpoint.tensors()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    signal.throwIfAborted();
    const length = Math.min(SAMPLE_BYTES, byteCount);
    hash.update(await checkpoint.readBytes(name, Math.floor((byteCount - length) / 2), length));
  }
  return hash.digest("hex").slice(0, 32);
}

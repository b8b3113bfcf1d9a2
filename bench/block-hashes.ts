import { parseArgs } from "node:util";
import { BLOCK_TOKENS, BlockHashes } from "@drover/kv";

/**
 * Hashing of a prompt's blocks. Back of the envelope for 1,048,576 tokens: 16,384 blocks of 272 bytes, five SHA-256 rounds each, are 4.5 MB
 * at 1 to 2 GB/s, and as many calls of about 1.5 us: 30 ms, most of it the calls.
 */
const { values } = parseArgs({
  options: { tokens: { type: "string", default: "1048576" }, rounds: { type: "string", default: "15" } },
});
const tokenCount = Number(values.tokens);
const SEED = { modelFingerprint: "maverick bf16", salt: "tenant" };
const ids = Int32Array.from({ length: tokenCount }, (_, i) => Math.imul(i, 2_654_435_761) >>> 14);

function spread(run: () => void): string {
  run();
  const times = Array.from({ length: Number(values.rounds) }, () => {
    const began = performance.now();
    run();
    return performance.now() - began;
  }).sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(2);
  return `median ${at(0.5)} ms, from ${at(0)} to ${at(1)}`;
}

const whole = new BlockHashes(SEED);
whole.append(ids);
process.stdout.write(`${tokenCount} tokens, ${whole.blockCount} blocks, ${whole.wire.length} bytes on the wire\n`);
process.stdout.write(`hash all:            ${spread(() => new BlockHashes(SEED).append(ids))}\n`);
process.stdout.write(`resume from wire:    ${spread(() => BlockHashes.resume(SEED, whole.wire, new Int32Array(0)))}\n`);
process.stdout.write(`append 4,096 tokens: ${spread(() => whole.append(ids.subarray(0, 64 * BLOCK_TOKENS)))}\n`);
process.stdout.write(
  `all keys as strings: ${spread(() => {
    for (let i = 0; i < whole.blockCount; i++) whole.key(i);
  })}\n`,
);

import { randomFillSync } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type MadeShape, releasedTensors, writeIndex, writeModelFiles } from "./made-checkpoint.ts";
import { POOL_FILE, POOLS_FILE, type PooledFile, type Pools } from "./pooled-reads.ts";

/** A tensor as its file's header names it, and what it is filled with. */
type Tensor = Readonly<{
  name: string;
  dtype: "BF16" | "F8_E4M3";
  shape: readonly number[];
  fill: "ones" | "scales" | "bf16" | "fp8";
}>;

/** No multiple of a row's bytes, so that rows are not each other's; of whole numbers of two bytes. */
const POOL_BYTES = 64 * 2 ** 20 - 10;
const BYTES = { BF16: 2, F8_E4M3: 1 } as const;
/** What lies in a file itself, before what is read from the pools. */
const ORDER = ["ones", "scales", "bf16", "fp8"] as const;

/** What Meta's release says of its FP8: all of the MLPs, with a scale for each output; attention, router and head are bf16. */
const QUANTIZATION = {
  quant_method: "compressed-tensors",
  format: "float-quantized",
  ignore: ["re:.*lm_head", "re:.*self_attn", "re:.*router"],
  config_groups: {
    group_0: {
      targets: ["Linear"],
      weights: { num_bits: 8, type: "float", symmetric: true, strategy: "channel", dynamic: false },
      input_activations: { num_bits: 8, type: "float", symmetric: true, strategy: "token", dynamic: true },
    },
  },
};

/**
 * Writes a checkpoint of random weights in FP8 as Meta releases it, one file a layer, whose large tensors are holes: a process that imports pooled-reads.ts reads random numbers there. So all layers
 * take a few hundred megabytes on the disk, and their full size on the cards.
 */
export async function makeFp8(folder: string, shape: MadeShape): Promise<void> {
  await writeModelFiles(folder, shape, { quantization_config: QUANTIZATION });
  const byFile = Map.groupBy(releasedTensors(shape).flatMap(storedTensors), ({ name }) => {
    const layer = /layers\.(\d+)\./.exec(name)?.[1];
    return `model-${layer ?? shape.layers}.safetensors`;
  });
  const files: Record<string, PooledFile> = {};
  for (const [file, tensors] of byFile)
    files[file] = await writeHollow(
      join(folder, file),
      tensors.toSorted((a, b) => ORDER.indexOf(a.fill) - ORDER.indexOf(b.fill)),
    );
  await writeFile(join(folder, POOL_FILE), poolBytes());
  const pools: Pools = { poolBytes: POOL_BYTES, files };
  await writeFile(join(folder, POOLS_FILE), JSON.stringify(pools));
  await writeIndex(
    folder,
    [...byFile].map(([file, tensors]) => ({ file, tensors })),
  );
}

/** A released tensor as FP8's layout has it: fused experts apart, and a scale beside what has 8 bits. */
function storedTensors({ name, shape }: Readonly<{ name: string; shape: readonly number[] }>): Tensor[] {
  const fused = /^(.*\.experts)\.(gate_up|down)_proj$/.exec(name);
  const [first = 1, inSize = 1, outSize = 1] = shape;
  if (fused !== null)
    return Array.from({ length: first }, (_, expert) =>
      (fused[2] === "down" ? ["down"] : ["gate", "up"]).flatMap((part) =>
        scaled(`${fused[1]}.${expert}.${part}_proj`, [outSize / (fused[2] === "down" ? 1 : 2), inSize]),
      ),
    ).flat();
  if (/feed_forward\..*_proj\.weight$/.test(name)) return scaled(name.replace(/\.weight$/, ""), shape);
  return [{ name, dtype: "BF16", shape, fill: name.endsWith("norm.weight") ? "ones" : "bf16" }];
}

function scaled(path: string, shape: readonly number[]): Tensor[] {
  const [outSize = 1] = shape;
  return [
    { name: `${path}.weight`, dtype: "F8_E4M3", shape, fill: "fp8" },
    { name: `${path}.weight_scale`, dtype: "BF16", shape: [outSize, 1], fill: "scales" },
  ];
}

const bytesOf = ({ dtype, shape }: Tensor) => BYTES[dtype] * shape.reduce((product, size) => product * size, 1);

/** The header, norms and scales; behind them holes of the other tensors' size. Where these begin. */
async function writeHollow(path: string, tensors: readonly Tensor[]): Promise<PooledFile> {
  let end = 0;
  const starts: Record<Tensor["fill"], number | undefined> = {
    ones: undefined,
    scales: undefined,
    bf16: undefined,
    fp8: undefined,
  };
  const entries = tensors.map((tensor) => {
    const begin = end;
    starts[tensor.fill] ??= begin;
    end += bytesOf(tensor);
    return [tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const header = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, " ");
  header.writeBigUInt64LE(BigInt(header.length - 8));
  text.copy(header, 8);
  await using file = await open(path, "wx");
  await file.write(header);
  for (const tensor of tensors) {
    if (tensor.fill !== "ones" && tensor.fill !== "scales") continue;
    const words = new Uint16Array(bytesOf(tensor) / 2).fill(0x3f80);
    // bf16 of 0.0117 to 0.0127: with numbers of 0.5 to 0.94 weights are as large as a trained model's.
    if (tensor.fill === "scales") for (let i = 0; i < words.length; i++) words[i] = 0x3c40 + (i % 17);
    await file.write(new Uint8Array(words.buffer));
  }
  await file.truncate(header.length + end);
  const fp8From = header.length + (starts.fp8 ?? end);
  return { bf16From: starts.bf16 === undefined ? fp8From : header.length + starts.bf16, fp8From };
}

/** Numbers of bf16 of either sign from 0.008 to 0.03, and behind them numbers of FP8 (E4M3) of either sign from 0.5 to 0.94: none is infinite or no number. */
function poolBytes(): Uint8Array {
  const bytes = new Uint8Array(2 * POOL_BYTES);
  randomFillSync(bytes);
  for (let i = 0; i < POOL_BYTES; i += 2) bytes[i + 1] = ((bytes[i + 1] as number) & 0x80) | 0x3c;
  for (let i = POOL_BYTES; i < bytes.length; i++) bytes[i] = ((bytes[i] as number) & 0x87) | 0x30;
  return bytes;
}

import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PackedMatrix, Packer, Quantization, QuantizedMatrix } from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import { linearGraph, readPrepared } from "../graphs/prepared.ts";
import { Session } from "../session.ts";

const MODEL = "packed.onnx";
const WEIGHTS = "packed.bin";

/**
 * Packs a quantized matrix that lies in a file as this CPU's kernels want it, into files of `scratch`, which the next call writes over. The packed bytes and
 * their key are the same in every graph that has this matrix. Null where the kernel takes matrices of this kind as they are. Memory: the matrix mapped, and
 * packed once. Errors: `internal`.
 */
async function packMatrix(matrix: QuantizedMatrix, scratch: string): Promise<PackedMatrix | null> {
  const { file, bits, blockSize, rowCount, inSize, packed, scales } = matrix;
  const parts = [{ file, rowCount, packed, scales, prepared: null }];
  const graph = linearGraph({ kind: "mapped", bits, blockSize, parts }, rowCount, inSize);
  const modelPath = join(scratch, MODEL);
  new Session("packing", graph, ["y"], { threads: 1, save: { modelPath, weightsName: WEIGHTS } })[Symbol.dispose]();
  const [prepared] = readPrepared(await readFile(modelPath));
  return prepared === undefined ? null : { key: prepared.key, file: join(scratch, WEIGHTS), range: prepared.range };
}

const PROBE_ROWS = 32;

/**
 * How this CPU's kernels pack: the key of a small matrix that is always the same. Where two processes have the same, what one has packed serves the other.
 * Uses a temporary folder for a moment. Errors: `unavailable` where that takes no files.
 */
export async function packingKind(quantization: Quantization): Promise<string> {
  try {
    return await probeKind(quantization);
  } catch (cause) {
    if (!(cause instanceof Error && "syscall" in cause && "code" in cause)) throw cause;
    throw new DroverError(
      "unavailable",
      `the temporary folder ${tmpdir()} takes no files (${cause.code}); make room there, or name another one by TMPDIR`,
      { cause },
    );
  }
}

async function probeKind({ bits, blockSize }: Quantization): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "drover-packing-")));
  try {
    const inSize = 2 * blockSize;
    const packedLength = (PROBE_ROWS * inSize * bits) / 8;
    const file = join(folder, "probe");
    const numbers = Uint8Array.from({ length: packedLength }, (_, i) => i * 37 + (i >> 3));
    await writeFile(file, Buffer.concat([numbers, new Uint8Array(new Float32Array(PROBE_ROWS * 2).fill(0.5).buffer)]));
    const packed = { offset: 0, length: packedLength };
    const scales = { offset: packedLength, length: PROBE_ROWS * 2 * Float32Array.BYTES_PER_ELEMENT };
    const made = await packMatrix({ file, bits, blockSize, rowCount: PROBE_ROWS, inSize, packed, scales }, folder);
    return made?.key ?? "none";
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a conversion to this format packs with. Errors: `internal`. */
export async function matrixPacker(quantization: Quantization): Promise<Packer> {
  return { kind: await packingKind(quantization), pack: packMatrix };
}

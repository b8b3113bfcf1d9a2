import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type TestTensor = { dtype: string; shape: number[]; data: Uint8Array };

/** The bytes of a safetensors file; `edit` may spoil its header before it is written. */
export function safetensorsBytes(
  tensors: Record<string, TestTensor>,
  edit: (header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>) => void = () => undefined,
): Buffer {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      const entry = { dtype, shape, data_offsets: [at, at + data.byteLength] };
      at += data.byteLength;
      return [name, entry];
    }),
  );
  edit(header);
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...Object.values(tensors).map(({ data }) => data)]);
}

/** An f32 tensor. */
export function f32Tensor(shape: number[], values: ArrayLike<number>): TestTensor {
  return { dtype: "F32", shape, data: new Uint8Array(Float32Array.from(values).buffer) };
}

/** A bf16 tensor of values that bf16 can hold. */
export function bf16Tensor(shape: number[], values: ArrayLike<number>): TestTensor {
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  return { dtype: "BF16", shape, data: new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer) };
}

/** A folder that disappears with its scope. */
export async function temporaryFolder(
  files: Record<string, string | Uint8Array>,
): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "drover-checkpoint-"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

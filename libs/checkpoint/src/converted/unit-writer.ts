import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { assert } from "@drover/core";
import { openFile } from "../files/safetensors.ts";
import { QUANTIZE_SCRATCH_BYTES } from "../limits.ts";
import type { LinearRows } from "../tensors/linear-rows.ts";
import { quantizeLinear } from "../tensors/quantize.ts";
import { copyRange, hashRange, writeExactly } from "./file-hash.ts";
import type { FileRecord, PreparedMatrix } from "./file-record.ts";
import type { LinearLayout, PartLayout, UnitLayout } from "./layout.ts";
import type { Packer } from "./packing.ts";

/**
 * Writes one unit to `path`, an absolute path without links, and leaves it on disk: its Linears quantized a few rows at a time, and then each matrix as
 * `packer` packs it. `scratch` is a folder for the packer. Returns its hashes. Errors: those of the source.
 */
export async function writeUnit(
  path: string,
  layout: UnitLayout,
  linears: readonly LinearRows[],
  packer: Packer,
  scratch: string,
  signal: AbortSignal,
): Promise<Omit<FileRecord, "file">> {
  await using file = await open(path, "w+");
  // What nothing is written to, such as padding, reads as zeros.
  await file.truncate(layout.byteCount);
  for (const [i, linear] of layout.linears.entries()) {
    const rows = linears[i];
    assert(rows?.outSize === linear.outSize && rows.inSize === linear.inSize, "a source has its layout's shape");
    for (const part of linear.parts) await writePart(file, linear, part, rows, signal);
  }
  const matrices: (PreparedMatrix | null)[] = [];
  for (const linear of layout.linears) {
    for (const part of linear.parts) {
      signal.throwIfAborted();
      matrices.push(await preparePart(file, path, linear, part, packer, scratch, signal));
    }
  }
  await file.sync();
  const name = basename(path);
  const sha256 = await hashRange(file, name, 0, layout.preparedStart, signal);
  const prepared = await hashRange(file, name, layout.preparedStart, layout.byteCount, signal);
  return { byteCount: layout.byteCount, sha256, prepared: { sha256: prepared, matrices } };
}

async function writePart(
  file: FileHandle,
  { inSize, quantization }: LinearLayout,
  part: PartLayout,
  rows: LinearRows,
  signal: AbortSignal,
): Promise<void> {
  const countMax = Math.max(1, Math.floor(QUANTIZE_SCRATCH_BYTES / (inSize * Float32Array.BYTES_PER_ELEMENT)));
  let packedAt = part.packed.offset;
  let scalesAt = part.scales.offset;
  for (let done = 0; done < part.rowCount; done += countMax) {
    signal.throwIfAborted();
    const count = Math.min(countMax, part.rowCount - done);
    const weight = await rows.read(part.firstRow + done, count);
    const { packed, scales } = quantizeLinear(weight, count, inSize, quantization);
    const scaleBytes = new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength);
    await writeExactly(file, packed, packedAt);
    await writeExactly(file, scaleBytes, scalesAt);
    packedAt += packed.length;
    scalesAt += scaleBytes.length;
  }
}

/** Packs one matrix and stores that, unless this CPU packs it larger than the room that files have on all of them. */
async function preparePart(
  file: FileHandle,
  path: string,
  { inSize, quantization }: LinearLayout,
  { rowCount, packed, scales, prepared }: PartLayout,
  packer: Packer,
  scratch: string,
  signal: AbortSignal,
): Promise<PreparedMatrix | null> {
  const made = await packer.pack({ file: path, ...quantization, rowCount, inSize, packed, scales }, scratch);
  if (made === null || made.range.length > prepared.length) return null;
  const { offset, length } = made.range;
  await using source = await openFile(made.file);
  const from = { file: source, name: basename(made.file), start: offset, end: offset + length };
  await copyRange(from, file, prepared.offset, undefined, signal);
  return { key: made.key, byteCount: length };
}

import type { ModelConfig } from "../config/model-config.ts";
import type { Quantization } from "../tensors/quantization.ts";
import { type KeptTensor, keptFiles, tensorBytes } from "./kept-tensors.ts";
import { conversionSetting } from "./setting.ts";
import { layoutOf, modelUnits, type UnitId, unitFile } from "./units.ts";

/** One written file and what its bytes are: `byteCount` is exactly the sum of the others. */
export type ConvertedFile = Readonly<{
  file: string;
  /** Null for tensors that keep their own type. */
  unit: UnitId | null;
  byteCount: number;
  /** Weights as any CPU or device takes them: packed numbers and f32 scales, or tensors in their own type. */
  weightBytes: number;
  /** The same weights as this kind of CPU's kernels pack them, which are mapped. */
  preparedBytes: number;
  /** Headers and padding. */
  overheadBytes: number;
}>;

/**
 * Every file of weights that converting this model writes, to the byte. Not among them: the index, the manifest, and the files that are copied.
 * `tensors` are all of the source's.
 */
export function convertedFiles(
  config: ModelConfig,
  tensors: Iterable<KeptTensor>,
  quantization: Quantization,
): ConvertedFile[] {
  const setting = conversionSetting(quantization);
  const units = modelUnits(config, setting).map((unit): ConvertedFile => {
    const { byteCount, weightBytes, linears } = layoutOf(unit, config, setting);
    const parts = linears.flatMap((linear) => linear.parts);
    const preparedBytes = parts.reduce((sum, { prepared }) => sum + prepared.length, 0);
    const overheadBytes = byteCount - weightBytes - preparedBytes;
    return { file: unitFile(unit), unit, byteCount, weightBytes, preparedBytes, overheadBytes };
  });
  const kept = keptFiles(tensors, setting).map((file): ConvertedFile => {
    const weightBytes = file.tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
    const overheadBytes = file.header.length;
    return { file: file.file, unit: null, byteCount: file.byteCount, weightBytes, preparedBytes: 0, overheadBytes };
  });
  return [...kept, ...units];
}

import type { Checkpoint } from "../files/checkpoint.ts";
import { isWeightDtype } from "../files/dtype.ts";
import { CHECKED_SCALE_BYTES_MAX } from "../limits.ts";
import type { StoredMatrix } from "../stored/stored-matrix.ts";
import { requireFinite } from "../stored/tensor-fault.ts";

/** The few numbers by which all of a layer's are multiplied. */
const NORM = /norm[^.]*\.(?:weight|bias)$/;

/**
 * Reads norms, and the scales of stored matrices, each tensor once, and refuses those that are not finite: nothing that is computed with one would be a
 * number. Of a model with more of them than {@link CHECKED_SCALE_BYTES_MAX} the rest is left to who reads it to compute. Errors: `invalid_argument`
 * naming file and tensor.
 */
export async function checkScales(checkpoint: Checkpoint, matrices: Iterable<StoredMatrix>): Promise<void> {
  const names = new Set<string>();
  for (const { name, dtype } of checkpoint.tensors()) if (NORM.test(name) && isWeightDtype(dtype)) names.add(name);
  for (const { scales, second } of matrices)
    for (const stored of [scales, second]) if (stored !== undefined) names.add(stored.tensor);
  let leftBytes = CHECKED_SCALE_BYTES_MAX;
  for (const name of names) {
    leftBytes -= checkpoint.info(name).byteCount;
    if (leftBytes < 0) return;
    requireFinite(checkpoint, name, await checkpoint.readF32(name));
  }
}

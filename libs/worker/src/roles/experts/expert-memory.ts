import { DroverError } from "@drover/core";

/**
 * Experts, of all layers together, that a worker's `--expert-memory` holds; 0, which on the wire is no limit, where it says nothing. Errors:
 * `invalid_argument` with the field `expert_memory` for less than one takes: its worker would hold nothing, and the cluster wait for ever.
 */
export function expertCountMax(bytesMax: number | undefined, expertBytes: number): number {
  if (bytesMax === undefined || expertBytes === 0) return 0;
  const count = Math.floor(bytesMax / expertBytes);
  if (count >= 1) return count;
  const sentence = `--expert-memory: ${bytesMax} bytes hold none of this model's experts; the least that works is ${expertBytes}, for one of them`;
  throw new DroverError("invalid_argument", sentence, { field: "expert_memory" });
}

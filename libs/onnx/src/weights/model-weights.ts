import type { AttentionWeights, LinearWeight, MlpWeights } from "@drover/llama4";

/**
 * Where the runtime gets its weights, in the form in which it computes: f32, or quantized. A source reads only what it is asked for.
 * Errors: `invalid_argument`, naming file and tensor.
 */
export interface ModelWeights {
  /** A norm's weight by its tensor's name, [D]. */
  vector(name: string): Promise<Float32Array>;
  attention(layer: number): Promise<Omit<AttentionWeights, "rope">>;
  /** The attention's output projection, [D, Q]. */
  output(layer: number): Promise<LinearWeight>;
  dense(layer: number): Promise<MlpWeights>;
  shared(layer: number): Promise<MlpWeights>;
  /** The gate's projection to experts, [E, D], always f32. */
  gate(layer: number): Promise<LinearWeight>;
  expert(layer: number, expert: number): Promise<MlpWeights>;
  /** [V, D]. */
  head(): Promise<LinearWeight>;
  embedding(): Promise<EmbeddingTable>;
}

/** The input embedding, kept in the checkpoint's own type. */
export interface EmbeddingTable {
  /** Writes rows of the given ids into out_aD, [a, D] f32. */
  gather(tokenIds: Int32Array, out_aD: Float32Array, firstRow: number): void;
}

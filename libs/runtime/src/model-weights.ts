import type { MlpWeights } from "@drover/graph";

/** Where the runtime gets its weights: dequantized f32 in Linear layout [out, in], whatever the checkpoint's format. `checkpoint` implements it. */
export interface ModelWeights {
  linear(name: string): Promise<Float32Array>;
  vector(name: string): Promise<Float32Array>;
  expert(layer: number, expert: number): Promise<MlpWeights>;
  embedding(): Promise<EmbeddingTable>;
}

/** The input embedding, kept in the checkpoint's own type. */
export interface EmbeddingTable {
  /** Writes rows of the given ids into out_aD, [a, D] f32. */
  gather(tokenIds: Int32Array, out_aD: Float32Array, firstRow: number): void;
}

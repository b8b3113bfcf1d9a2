import type { LinearRows, MlpRows, ModelConfig, TextRows } from "@drover/checkpoint";

/** A layer's weights, to be read. */
export type LayerRows = Readonly<{
  inputNorm: Float32Array;
  qkv: LinearRows;
  output: LinearRows;
  postNorm: Float32Array;
  /** The dense MLP, or the shared expert. */
  mlp: MlpRows;
  moe: Readonly<{ moeIndex: number; router: LinearRows; experts: readonly MlpRows[] }> | undefined;
}>;

/** Finds a layer's weights, with its experts or without. Errors: the checkpoint's. */
export async function layerRows(
  config: ModelConfig,
  layer: number,
  rows: TextRows,
  withExperts: boolean,
): Promise<LayerRows> {
  const path = `model.layers.${layer}`;
  const moeIndex = config.moeLayers.indexOf(layer);
  return {
    ...(await rows.attention(layer)),
    inputNorm: await rows.vector(`${path}.input_layernorm.weight`),
    postNorm: await rows.vector(`${path}.post_attention_layernorm.weight`),
    mlp: await (moeIndex < 0 ? rows.dense(layer) : rows.shared(layer)),
    moe:
      moeIndex < 0
        ? undefined
        : {
            moeIndex,
            router: await rows.router(layer),
            experts: await Promise.all(
              Array.from({ length: withExperts ? config.expertCount : 0 }, (_, expert) => rows.expert(layer, expert)),
            ),
          },
  };
}

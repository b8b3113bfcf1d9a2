import { assert } from "@drover/core";
import type { ModelShape } from "./model-shape.ts";

/** A Linear's shape, [out, in], by the last part of its module name. Bug for a name that is no Linear of Llama 4's. */
export function linearShape(name: string, model: ModelShape): readonly [outSize: number, inSize: number] {
  const { hiddenSize, vocabSize, expertCount } = model;
  const queryWidth = model.headCount * model.headDim;
  const keyWidth = model.kvHeadCount * model.headDim;
  const mlpWidth = name.includes(".shared_expert.") ? model.expertWidth : model.denseWidth;
  const shapes: Readonly<Record<string, readonly [number, number]>> = {
    lm_head: [vocabSize, hiddenSize],
    q_proj: [queryWidth, hiddenSize],
    k_proj: [keyWidth, hiddenSize],
    v_proj: [keyWidth, hiddenSize],
    o_proj: [hiddenSize, queryWidth],
    router: [expertCount, hiddenSize],
    gate_proj: [mlpWidth, hiddenSize],
    up_proj: [mlpWidth, hiddenSize],
    down_proj: [hiddenSize, mlpWidth],
  };
  const shape = shapes[name.slice(name.lastIndexOf(".") + 1)];
  assert(shape !== undefined, `a Linear of Llama 4's text model is asked for, not ${name}`);
  return shape;
}

import { tensorPurpose } from "@drover/llama4";
import { SERVED_FORMS } from "../config/stored-forms.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import { hasLinear } from "../stored/stored-linear.ts";
import { failTensor } from "../stored/tensor-fault.ts";

/** Where a text model's Linears are. */
const LINEARS =
  /^(?:language_model\.)?(?:model\.layers\.\d+\.(?:self_attn|feed_forward)|model\.embed_tokens|lm_head)\.(.+)$/;

/** The module of a Linear that is not fused with others', by any of its tensors. */
const ONE_LINEAR =
  /^((?:language_model\.)?(?:model\.layers\.\d+\.(?:self_attn|feed_forward)\.(?:[\w.]+\.)?(?:[qkvo]_proj|gate_proj|up_proj|down_proj|router)|model\.embed_tokens|lm_head))\./;

/**
 * Names of tensors that change what a Linear computes, or are the weights themselves in another form, by what follows their module. Whoever left them out
 * would compute something else without a word.
 */
const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)(qweight|qzeros)$/, "of GPTQ or AWQ"],
  [/(^|\.)(absmax|nested_absmax|quant_map|nested_quant_map|SCB|weight_format|quant_state\..+)$/, "of bitsandbytes"],
  [/(^|\.)biases$/, "of MLX"],
  [/(^|[._])(compressed|bitmask|row_offsets)$/, "of a sparse form"],
  [/(^|\.)lora_[AB]\b/, "of a LoRA adapter that was not merged"],
  [/(^|[._])pre_quant_scale$/, "a scale of inputs, as AWQ and SVDQuant have it"],
  [/(^|[._])svdquant_lora_[ab]$/, "of SVDQuant"],
  [/(^|\.)(gate_up_proj|down_proj)_(blocks|scales|packed)$/, "of MXFP4 or another packed form of fused experts"],
  [/(^|\.)(codes|codebooks)$/, "of AQLM"],
  [/(^|\.)(q_weight|q_invperm|q_scale_max|q_groups|q_perm)$/, "of EXL2"],
  [/(^|\.)(trellis|suh|svh)$/, "of EXL3 or QTIP"],
  [/(^|\.)W_q$/, "of HQQ"],
  [/(^|\.)weight\._(data|scale|shift)$/, "of quanto"],
  [/(^|_)proj(\.|_)bias$/, "a bias, which Llama 4's text model does not have"],
];

/** Refuses a checkpoint of a form that Drover does not read, by the first tensor that tells. Errors: `invalid_argument` naming file and tensor. */
export function refuseForeignTensors(checkpoint: Checkpoint): void {
  for (const { name } of checkpoint.tensors()) {
    const [, rest] = LINEARS.exec(name) ?? [];
    if (rest === undefined) continue;
    const [, what] = FOREIGN.find(([pattern]) => pattern.test(rest)) ?? [];
    if (what !== undefined) failTensor(checkpoint, name, `is ${what}; ${SERVED_FORMS}`);
    const [, module] = ONE_LINEAR.exec(name) ?? [];
    // Where the weight itself is not there under a name of ours, a tensor that is no scale stands for it.
    if (module !== undefined && !hasLinear(checkpoint, module) && !tensorPurpose(name).isScale)
      failTensor(checkpoint, name, `is of a form that Drover does not know; ${SERVED_FORMS}`);
  }
}

import type { RopeScaling } from "@drover/llama4";
import type { FieldReader } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";

const THETA_DEFAULT = 500_000;

/**
 * RoPE in either style: transformers 5's `rope_parameters`, or `rope_theta` beside `rope_scaling` (null: unscaled). Where both say something,
 * `rope_scaling` does, as in transformers. Errors: `invalid_argument` naming file and field.
 * Source: transformers 5.24, modeling_rope_utils.py, `convert_rope_params_to_dict`.
 */
export function readRope(text: FieldReader): { ropeTheta: number; ropeScaling: RopeScaling | null } {
  const [scaling] = [text.object("rope_scaling"), text.object("rope_parameters")].filter(
    (one) => one !== undefined && one.fields.length > 0,
  );
  const ropeTheta = (scaling?.raw("rope_theta") === undefined ? text : scaling).positive("rope_theta", THETA_DEFAULT);
  // The size of Llama 4's heads is the size of what turns.
  for (const at of [scaling, text])
    if (at !== undefined && at.number("partial_rotary_factor", 1) !== 1) at.fail("partial_rotary_factor", "must be 1");
  const type = scaling?.text("rope_type") ?? scaling?.text("type") ?? "default";
  if (scaling === undefined || type === "default") return { ropeTheta, ropeScaling: null };
  if (type !== "llama3") return scaling.fail("rope_type", `is ${quoted(type)}; Drover knows default and llama3`);
  const lowFreqFactor = scaling.positive("low_freq_factor");
  const highFreqFactor = scaling.positive("high_freq_factor");
  if (highFreqFactor < lowFreqFactor) scaling.fail("high_freq_factor", "must not be below low_freq_factor");
  const ropeScaling = Object.freeze({
    factor: scaling.positive("factor"),
    lowFreqFactor,
    highFreqFactor,
    originalMaxPositionEmbeddings: scaling.positive("original_max_position_embeddings"),
  });
  return { ropeTheta, ropeScaling };
}

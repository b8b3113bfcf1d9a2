import type { RopeScaling } from "@drover/llama4";
import type { FieldReader } from "../files/json-file.ts";
import { quoted } from "../files/quoted.ts";

const THETA_DEFAULT = 500_000;

/**
 * RoPE in either style: transformers 5's `rope_parameters`, or `rope_theta` beside `rope_scaling` (null: unscaled).
 * Errors: `invalid_argument` naming file and field.
 */
export function readRope(text: FieldReader): { ropeTheta: number; ropeScaling: RopeScaling | null } {
  const parameters = text.object("rope_parameters");
  const ropeTheta = (parameters?.raw("rope_theta") === undefined ? text : parameters).positive(
    "rope_theta",
    THETA_DEFAULT,
  );
  const scaling = parameters ?? text.object("rope_scaling");
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

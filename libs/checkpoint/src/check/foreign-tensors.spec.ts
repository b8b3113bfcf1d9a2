import { neverAborted } from "@drover/core";
import { expect, test } from "vitest";
import { releasedStyle } from "../testing/configs.ts";
import { safetensorsBytes, temporaryFolder } from "../testing/write-safetensors.ts";
import { checkModel } from "./check-model.ts";
import { surveyTensors } from "./tensor-survey.ts";

const QUERY = "model.layers.0.self_attn.q_proj";
const EXPERT = "language_model.model.layers.1.feed_forward.experts.0.up_proj";
const SHARED = "model.layers.1.feed_forward.shared_expert.down_proj";

test.each([
  [`${QUERY}.codebooks`, "of AQLM"],
  [`${SHARED}.q_weight`, "of EXL2"],
  [`${EXPERT}.trellis`, "of EXL3"],
  [`${EXPERT}.W_q`, "of HQQ"],
  [`${QUERY}.weight._data`, "of quanto"],
  [`${QUERY}.qweight`, "of GPTQ or AWQ"],
  [`${SHARED}.nobody_knows`, "of a form that Drover does not know"],
  ["lm_head.centroids", "of a form that Drover does not know"],
])("%s stands for a weight that is not there, and is refused with what to take, by plan too", async (name, what) => {
  const weights = safetensorsBytes({ [name]: { dtype: "F16", shape: [1], data: Buffer.alloc(2) } });
  await using folder = await temporaryFolder({
    "config.json": JSON.stringify(releasedStyle),
    "model.safetensors": weights,
  });
  await expect(checkModel(folder.path)).rejects.toThrow(
    new RegExp(`model.safetensors: tensor ${name.replaceAll(".", "\\.")} is ${what}.*take the model in one of these`),
  );
  const survey = await surveyTensors(folder.path, neverAborted);
  expect(survey).toMatchObject({ fault: { isAbsent: false } });
});

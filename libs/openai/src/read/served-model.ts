import { DroverError } from "@drover/core";
import { Type } from "typebox";
import type { ModelFacts } from "../request/model-facts.ts";
import { parserOf } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";

export const modelField = Type.String({ description: "The served model's name, as `GET /v1/models` lists it." });

const parseNamed = parserOf(Type.Object({ model: modelField }));
const parseOptional = parserOf(Type.Object({ model: optional(modelField) }));

/** Comes before all other fields: who asks for another model is told so. Errors: `model_not_found`, or `invalid_argument` where no model is named. */
export function checkModel(value: unknown, facts: ModelFacts): void {
  checkName(parseNamed(value).model, facts);
}

/** As `checkModel`, where the name may be left out. */
export function checkNamedModel(value: unknown, facts: ModelFacts): void {
  const { model } = parseOptional(value);
  if (model !== undefined && model !== null) checkName(model, facts);
}

function checkName(asked: string, { modelId, aliases }: ModelFacts): void {
  if (asked === modelId || aliases.includes(asked)) return;
  throw new DroverError("model_not_found", `the model ${JSON.stringify(asked.slice(0, 100))} does not exist`, {
    field: "model",
  });
}

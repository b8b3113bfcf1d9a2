import { type Static, Type } from "typebox";

/** A served model. */
export const ModelCard = Type.Object({
  id: Type.String(),
  object: Type.Literal("model"),
  created: Type.Integer({ description: "Unix seconds since when it is served." }),
  owned_by: Type.Literal("drover"),
  max_model_len: Type.Integer({ description: "Tokens that prompt and answer may have together, as things stand." }),
});

/** The answer of `GET /v1/models`. */
export const ModelList = Type.Object({ object: Type.Literal("list"), data: Type.Array(ModelCard) });

export type ServedModelFacts = Readonly<{ modelId: string; createdMs: number; contextTokensMax: number }>;

export function modelCard({ modelId, createdMs, contextTokensMax }: ServedModelFacts): Static<typeof ModelCard> {
  return {
    id: modelId,
    object: "model",
    created: Math.floor(createdMs / 1000),
    owned_by: "drover",
    max_model_len: contextTokensMax,
  };
}

export function modelList(models: readonly ServedModelFacts[]): Static<typeof ModelList> {
  return { object: "list", data: models.map(modelCard) };
}

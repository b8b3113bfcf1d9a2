import { type Static, Type } from "typebox";

/** A served model. */
export const ModelCard = Type.Object({
  id: Type.String(),
  object: Type.Literal("model"),
  created: Type.Integer({ description: "Unix seconds since when it is served." }),
  owned_by: Type.Literal("drover"),
  root: Type.String({ description: "The model's own name, where this is an alias." }),
  max_model_len: Type.Integer({ description: "Tokens that prompt and answer may have together, as things stand." }),
  type: Type.Literal("model", { description: "For clients of Anthropic's interface, as what follows." }),
  display_name: Type.String(),
  created_at: Type.String({ description: "The same time, by RFC 3339." }),
  max_input_tokens: Type.Integer({ description: "The same count as `max_model_len`." }),
  max_tokens: Type.Integer({ description: "And again: an answer may have what its prompt leaves." }),
});

/** The answer of `GET /v1/models`. */
export const ModelList = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(ModelCard),
  first_id: Type.Union([Type.String(), Type.Null()]),
  last_id: Type.Union([Type.String(), Type.Null()]),
  has_more: Type.Literal(false, { description: "All models are on one page." }),
});

export type ServedModelFacts = Readonly<{
  modelId: string;
  aliases: readonly string[];
  createdMs: number;
  contextTokensMax: number;
}>;

/** A model under one of its names; its own unless given. */
export function modelCard(
  { modelId, createdMs, contextTokensMax }: ServedModelFacts,
  name = modelId,
): Static<typeof ModelCard> {
  return {
    id: name,
    object: "model",
    created: Math.floor(createdMs / 1000),
    owned_by: "drover",
    root: modelId,
    max_model_len: contextTokensMax,
    type: "model",
    display_name: name,
    created_at: new Date(Math.floor(createdMs / 1000) * 1000).toISOString(),
    max_input_tokens: contextTokensMax,
    max_tokens: contextTokensMax,
  };
}

export function modelList(models: readonly ServedModelFacts[]): Static<typeof ModelList> {
  const data = models.flatMap((model) => [model.modelId, ...model.aliases].map((name) => modelCard(model, name)));
  const ends = { first_id: data.at(0)?.id ?? null, last_id: data.at(-1)?.id ?? null };
  return { object: "list", data, ...ends, has_more: false };
}

import { Type } from "typebox";

/** Fields of a reply that its request asks for by `return_token_ids` and `return_routed_experts`. */
export const tokenIdsField = {
  token_ids: Type.Optional(
    Type.Array(Type.Integer(), { description: "With `return_token_ids`: of what was generated." }),
  ),
};

export const promptIdsField = {
  prompt_token_ids: Type.Optional(Type.Array(Type.Integer(), { description: "With `return_token_ids`." })),
};

export const routedExpertsField = {
  routed_experts: Type.Optional(
    Type.Array(Type.Array(Type.Integer()), {
      description: "With `return_routed_experts`: for each token computed, prompt first, the expert of each MoE layer.",
    }),
  ),
};

import { type Static, Type } from "typebox";

/** The answer of `POST /tokenize`. */
export const TokenizeReply = Type.Object({
  count: Type.Integer(),
  max_model_len: Type.Integer(),
  tokens: Type.Array(Type.Integer()),
  token_strs: Type.Union([Type.Array(Type.String()), Type.Null()]),
});

export type TokenizeReply = Static<typeof TokenizeReply>;

/** The answer of `POST /detokenize`. */
export const DetokenizeReply = Type.Object({ prompt: Type.String({ description: "Special tokens included." }) });

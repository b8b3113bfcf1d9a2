import { type Static, Type } from "typebox";

/** The answer of `POST /tokenize`. */
export const TokenizeReply = Type.Object({
  count: Type.Integer(),
  max_model_len: Type.Integer(),
  tokens: Type.Array(Type.Integer()),
  token_strs: Type.Union([Type.Array(Type.String()), Type.Null()]),
});

export type TokenizeReply = Static<typeof TokenizeReply>;

/** The answer of `GET /tokenizer_info`. */
export const TokenizerInfo = Type.Object({
  vocab_size: Type.Integer(),
  eos_token_ids: Type.Array(Type.Integer(), { description: "Tokens that end an answer." }),
  bos_token: Type.Optional(Type.String()),
  eos_token: Type.Optional(Type.String()),
  pad_token: Type.Optional(Type.String()),
  unk_token: Type.Optional(Type.String()),
  chat_template: Type.Optional(Type.String({ description: "In Jinja, where the checkpoint has one of its own." })),
});
export type TokenizerInfo = Static<typeof TokenizerInfo>;

/** The answer of `POST /detokenize`. */
export const DetokenizeReply = Type.Object({ prompt: Type.String({ description: "Special tokens included." }) });

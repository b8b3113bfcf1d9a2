import type { AddedToken } from "./vocabulary.ts";

/** Ids that Llama 4's tokenizer sets aside for control tokens, behind those of tokenizer.model. */
export const LLAMA4_SPECIAL_COUNT = 2048;

const reserved = (kind: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `<|${kind}_reserved_special_token_${from + i}|>`);

/** In the order of their ids. Source: llama-models, models/llama4/tokenizer.py. */
const NAMES: readonly string[] = [
  ...["<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"],
  ...["<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>", "<|step|>"],
  ...reserved("text_post_train", 0, 5),
  ...["<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>"],
  ...reserved("text_post_train", 8, 68),
  ...["<|image_start|>", "<|image_end|>"],
  ...reserved("vision", 0, 1),
  ...["<|tile_x_separator|>", "<|tile_y_separator|>"],
  ...reserved("vision", 2, 5),
  "<|image|>",
  ...reserved("vision", 6, 6),
  "<|patch|>",
  ...reserved("vision", 7, 1047),
  ...reserved("reasoning", 0, 7),
  ...["<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>"],
  ...Array.from({ length: 904 }, (_, i) => `<|reserved_special_token_${i}|>`),
];

/** Llama 4's control tokens behind `mergeableCount` ordinary ones. */
export function llama4Specials(mergeableCount: number): readonly AddedToken[] {
  return NAMES.map((content, i) => ({ id: mergeableCount + i, content }));
}

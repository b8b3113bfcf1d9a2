import { DroverError } from "@drover/core";

/**
 * A tokenizer's split pattern as a JavaScript expression. `\s` means Unicode White_Space there (U+0085 is in, U+FEFF is not), which is not
 * what it means here. Errors: `invalid_argument` when the pattern uses what JavaScript lacks.
 */
export function splitPattern(source: string): RegExp {
  const translated = source.replaceAll(/\\s/g, "\\p{White_Space}").replaceAll(/\\S/g, "\\P{White_Space}");
  try {
    return new RegExp(translated, "gu");
  } catch (cause) {
    throw new DroverError("invalid_argument", "tokenizer: the split pattern is not supported", { cause });
  }
}

import { readManifest, TextWeights } from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import type { RoleContext } from "../role-context.ts";

/** Where a card's weights come from. Errors: `invalid_argument` with the field, for weights that only CPUs compute with. */
export async function cardSource({ options, model }: Pick<RoleContext, "options" | "model">): Promise<TextWeights> {
  const { config, checkpoint } = model;
  const { directory } = checkpoint;
  if (options.quantization !== null) refuse("quantize", "a card computes with weights as the checkpoint stores them");
  if ((await readManifest(directory)) !== null)
    refuse("model", `${directory} was converted for CPUs; give a card the checkpoint that it was made of`);
  return new TextWeights(checkpoint, config);
}

function refuse(field: string, sentence: string): never {
  throw new DroverError("invalid_argument", `--${field}: ${sentence}`, { field });
}

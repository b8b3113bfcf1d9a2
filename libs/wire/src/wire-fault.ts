import { DroverError } from "@drover/core";

/** The fault of a message that another process wrote and this build cannot read. `field` is the message's own name for it, of which the sentence speaks. */
export function wireFault(field: string, sentence: string): DroverError {
  return new DroverError("invalid_argument", sentence, { field });
}

import { DroverError } from "@drover/core";

/** A part of a client's constraint that is refused. Errors carry the place: the field, and within it the schema's path. */
export const constraintFault = (place: string, sentence: string): DroverError =>
  new DroverError("invalid_argument", sentence, { field: place });

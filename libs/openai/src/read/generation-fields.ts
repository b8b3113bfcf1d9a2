import { type Static, Type } from "typebox";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { constraintFields } from "./constraint.ts";
import { replyFields } from "./reply-options.ts";
import { samplingFields } from "./sampling.ts";
import { modelField } from "./served-model.ts";
import { unsupportedIn } from "./unsupported.ts";

/** The fields that all generating endpoints share. */
export const generationFields = {
  model: modelField,
  ...samplingFields,
  ...replyFields,
  ...constraintFields,
  best_of: optional(Type.Integer({ minimum: 1, description: "Taken up to `n`, and then without effect." })),
};

const GenerationBody = Type.Object(generationFields);

/** A check of an endpoint's body that refuses what is known and not served, also in combination. Errors: `invalid_argument` naming the field. */
export function unservedIn(schema: Readonly<{ properties: object }>) {
  const refuseUnsupported = unsupportedIn(schema);
  return (body: Static<typeof GenerationBody>): void => {
    refuseUnsupported(body);
    if ((body.best_of ?? 1) > (body.n ?? 1)) throw fieldError("best_of", "is not supported above n");
  };
}

/** Errors: `invalid_argument` where an answer may not end before more tokens than are asked for, `asked` by `field`. */
export function checkMinTokens(
  body: Static<typeof GenerationBody>,
  field: string,
  asked: number | null | undefined,
): void {
  if (asked !== undefined && asked !== null && (body.min_tokens ?? 0) > asked)
    throw fieldError("min_tokens", `must be at most ${field}`);
}

import { type TSchema, Type } from "typebox";
import { fieldError } from "./check.ts";
import { UNCHECKED } from "./sentences.ts";

/** A field that may be left out, or be null, which is the same. */
export const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

/** A list of token ids. Which ids there are is the model's to say: `checkTokenIds` looks at them. */
export const tokenIdList = (description: string, bounds: Readonly<{ maxItems?: number }> = {}) =>
  Type.Array(Type.Integer({ minimum: 0 }), { description, ...bounds, [UNCHECKED]: true });

/** Errors: `invalid_argument` by the list's name when an entry is no id of the vocabulary. */
export function checkTokenIds(
  field: string,
  ids: readonly unknown[],
  vocabSize: number,
): asserts ids is readonly number[] {
  // By index: a loop over the iterator takes four times as long, and a prompt may have a million ids.
  for (let i = 0; i < ids.length; i++)
    if (!isTokenId(ids[i], vocabSize)) throw fieldError(field, `must hold token ids from 0 to ${vocabSize - 1}`);
}

const isTokenId = (id: unknown, vocabSize: number): boolean =>
  typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabSize;

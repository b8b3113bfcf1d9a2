import { KV_DTYPES, type KvDtype } from "@drover/core";
import { nameFromWire } from "./text.ts";

/** What a worker keeps keys and values as; in messages an empty text where it keeps none. Errors: `invalid_argument` for an unknown type. */
export function kvDtypeFromWire(text: string, field: string): KvDtype | undefined {
  return text === "" ? undefined : nameFromWire(KV_DTYPES, text, field);
}

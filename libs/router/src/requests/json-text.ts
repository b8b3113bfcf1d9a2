import { setImmediate } from "node:timers/promises";
import { jsonPieces } from "@drover/openai";

/** A value's JSON, which the event loop gets its turn within. */
export async function jsonText(value: unknown): Promise<string> {
  let text = "";
  for (const piece of jsonPieces(value)) {
    if (text !== "") await setImmediate();
    text += piece;
  }
  return text;
}

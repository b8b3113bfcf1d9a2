import { parseRequestJson } from "@drover/chat";
import { DroverError } from "@drover/core";

/** What Python's json writes for numbers that JSON does not have. */
const NOT_A_NUMBER = /"(\w{1,40})"\s*:\s*(?:NaN|-?Infinity)\b/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** A body's JSON. Errors: `invalid_argument` for bytes that are not UTF-8 or text that is not JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeText(bytes);
  try {
    return parseRequestJson(text);
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    const field = NOT_A_NUMBER.exec(text)?.[1];
    if (field !== undefined) throw new DroverError("invalid_argument", "must be a finite number", { field, cause });
    throw new DroverError("invalid_argument", "the body is not valid JSON", { cause });
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new DroverError("invalid_argument", "the body is not valid UTF-8", { cause });
  }
}

import { fieldError } from "../schema/check.ts";

/** A text's media type, also JSON and its like, with whatever parameters before its encoding. */
const TEXT_URL = /^data:(?:text\/[\w.+-]+|application\/(?:[\w.-]+\+)?(?:json|xml|yaml))(?:;[^,;]{0,100}){0,8};base64,/i;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The text of a part that is a file, behind the file's name. Errors: `invalid_argument`, naming the field, for what is no data URL of a text in UTF-8. */
export function fileText(part: Readonly<{ filename?: string | null; file_data: string }>, field: string): string {
  const head = TEXT_URL.exec(part.file_data)?.[0];
  if (head === undefined)
    throw fieldError(`${field}.file_data`, "is not supported: a file must be a text, as data:text/plain;base64,...");
  const text = decoded(Buffer.from(part.file_data.slice(head.length), "base64"));
  if (text === undefined) throw fieldError(`${field}.file_data`, "must be UTF-8");
  return [part.filename, text].filter((one) => typeof one === "string" && one !== "").join("\n");
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}

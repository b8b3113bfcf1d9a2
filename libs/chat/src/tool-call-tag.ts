import { type Characters, exactly, type FoundCall, type Production, refuse, space } from "./tool-call-characters.ts";
import { jsonObject } from "./tool-json-value.ts";

/** What closes a call of this style. */
export const TAG_END = "</function>";

/** `<function=name>{...}</function>`, from `<` to the last `>`, on which it stops. Between the tags of a function without parameters may be nothing. */
export function* functionTag(characters: Characters): Production<FoundCall[]> {
  yield* exactly(characters, "<function=");
  yield;
  let name = "";
  while (!/[\s<>"'=]/.test(characters.char)) {
    name += characters.char;
    yield;
  }
  if (name === "" || characters.char !== ">") yield* refuse(characters);
  yield;
  yield* space(characters);
  const given = yield* tagArguments(characters);
  yield* space(characters);
  yield* exactly(characters, TAG_END);
  return [{ name, arguments: given, end: characters.offset + 1 }];
}

/** The JSON object between the tags; stops behind it. */
function* tagArguments(characters: Characters): Production<string> {
  if (characters.isOneOf("<")) return "{}";
  if (characters.isOneOf("n")) {
    yield* exactly(characters, "null");
    yield;
    return "{}";
  }
  if (!characters.isOneOf("{")) yield* refuse(characters);
  const start = characters.offset;
  yield* jsonObject(characters);
  const end = characters.offset + 1;
  yield;
  return characters.repaired(start, end);
}

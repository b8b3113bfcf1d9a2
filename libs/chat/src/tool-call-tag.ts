import { type Characters, exactly, type FoundCall, type Production, refuse, space } from "./tool-call-characters.ts";
import { jsonObject } from "./tool-json-value.ts";

/** What closes a call of this style. */
export const TAG_END = "</function>";

/** `<function=name>{...}</function>`, from `<` to the last `>`, on which it stops. */
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
  if (characters.char !== "{") yield* refuse(characters);
  const start = characters.offset;
  yield* jsonObject(characters);
  const end = characters.offset + 1;
  yield;
  yield* space(characters);
  yield* exactly(characters, TAG_END);
  return [{ name, arguments: characters.repaired(start, end), end: characters.offset + 1 }];
}

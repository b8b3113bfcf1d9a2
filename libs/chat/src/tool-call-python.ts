import { type Characters, type FoundCall, type Production, refuse, space } from "./tool-call-characters.ts";
import { isPythonNameStart, pythonName, pythonValue } from "./tool-python-literal.ts";

/** `f(a="x"), g(n=1)]`: calls from the first name behind `[` to `]`, on which it stops. */
export function* pythonCallList(characters: Characters): Production<FoundCall[]> {
  const calls: FoundCall[] = [];
  while (characters.char !== "]") {
    calls.push(yield* pythonCall(characters));
    yield;
    yield* space(characters);
    if (characters.char === "]") break;
    if (characters.char !== ",") yield* refuse(characters);
    yield;
    yield* space(characters);
  }
  return calls;
}

/** One call with keyword arguments, from its name to `)`, on which it stops. */
export function* pythonCall(characters: Characters): Production<FoundCall> {
  const name = yield* pythonName(characters, true);
  yield* space(characters);
  if (characters.char !== "(") yield* refuse(characters);
  yield;
  yield* space(characters);
  const keys = new Set<string>();
  const members: string[] = [];
  while (characters.char !== ")") {
    if (!isPythonNameStart(characters.char)) yield* refuse(characters);
    const key = yield* pythonName(characters, false);
    yield* space(characters);
    if (characters.char !== "=" || keys.has(key)) yield* refuse(characters);
    keys.add(key);
    yield;
    yield* space(characters);
    const { json } = yield* pythonValue(characters);
    members.push(`${JSON.stringify(key)}: ${json}`);
    yield* space(characters);
    if (characters.char === ")") break;
    if (characters.char !== ",") yield* refuse(characters);
    yield;
    yield* space(characters);
  }
  return { name, arguments: `{${members.join(", ")}}`, end: characters.offset + 1 };
}

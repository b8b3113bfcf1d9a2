import { type Characters, type FoundCall, type Production, refuse, space } from "./tool-call-characters.ts";
import { colon, comma, isStringBegin, jsonString, jsonValue, nest, repairedJsonObject } from "./tool-json-value.ts";

/** What a call may say of itself, and with what each value begins. Any other key makes it an ordinary object. */
const CALL_KEYS: Readonly<Record<string, string>> = {
  name: "\"'",
  parameters: "{\"'nN",
  arguments: "{\"'nN",
  function: "{\"'",
  type: "\"'",
  id: "\"'",
};
const KEY_NAMES = Object.keys(CALL_KEYS);

type Place = Readonly<{ start: number; end: number }>;

/** `{"name": ..., "parameters": {...}}`, also with "arguments". From `{`; stops on `}`. Another object becomes plain. */
export function* jsonCall(characters: Characters): Production<FoundCall[]> {
  return [yield* callObject(characters)];
}

/** Several call objects in an array, from the first `{` to `]`, on which it stops. */
export function* jsonCallArray(characters: Characters): Production<FoundCall[]> {
  const calls: FoundCall[] = [];
  while (true) {
    if (characters.char === "{") {
      calls.push(yield* callObject(characters));
      yield;
    } else {
      characters.plain = true;
      yield* jsonValue(characters);
    }
    yield* space(characters);
    if (characters.char === "]") return calls;
    if (characters.char !== ",") yield* refuse(characters);
    yield;
    yield* space(characters);
    // A comma may be the last sign of a list of calls, as in Python.
    if (characters.char === "]" && !characters.plain) return calls;
  }
}

function* callObject(characters: Characters): Production<FoundCall> {
  const places = new Map<string, Place>();
  let inner: FoundCall | undefined;
  yield* nest(characters);
  yield;
  yield* space(characters);
  if (characters.char === "}") characters.plain = true;
  while (characters.char !== "}") {
    const key = yield* callKey(characters);
    yield;
    yield* colon(characters);
    if (places.has(key) || !CALL_KEYS[key]?.includes(characters.char)) characters.plain = true;
    const start = characters.offset;
    if (key === "function" && characters.char === "{") {
      inner = yield* callObject(characters);
      yield;
    } else yield* jsonValue(characters);
    places.set(key, { start, end: characters.offset });
    yield* comma(characters, "}");
  }
  characters.depth--;
  const call = characters.plain ? undefined : readCall(characters, places, inner);
  return { name: call?.name, arguments: call?.arguments ?? "", end: characters.offset + 1 };
}

/** The key between its quotes; stops on the closing one. Plain as soon as it is none of a call's. */
function* callKey(characters: Characters): Production<string> {
  if (!isStringBegin(characters)) yield* refuse(characters);
  const quote = characters.char;
  let key = "";
  const string = jsonString(characters);
  while (!string.next().done) {
    yield;
    if (characters.malformed || characters.plain) continue;
    if (characters.char === quote && KEY_NAMES.includes(key)) continue;
    key += characters.char;
    if (!KEY_NAMES.some((name) => name.startsWith(key))) characters.plain = true;
  }
  return key;
}

function readCall(
  characters: Characters,
  places: ReadonlyMap<string, Place>,
  inner: FoundCall | undefined,
): Readonly<{ name: string; arguments: string }> | undefined {
  const written = (key: string): string | undefined => {
    const place = places.get(key);
    return place && characters.repaired(place.start, place.end);
  };
  const type = written("type");
  if (type !== undefined && JSON.parse(type) !== "function") return undefined;
  if (places.has("name") && places.has("function")) return undefined;
  const isWrapped = !places.has("arguments") && !places.has("parameters");
  if (inner !== undefined) return isWrapped && inner.name !== undefined ? { ...inner, name: inner.name } : undefined;
  const name = written("name") ?? written("function");
  if (name === undefined) return undefined;
  if (places.has("arguments") && places.has("parameters")) return undefined;
  const given = written("arguments") ?? written("parameters");
  // An object of a name alone may be anything.
  if (given === undefined && type === undefined) return undefined;
  const json = argumentsObject(given ?? "null");
  return json === undefined ? undefined : { name: JSON.parse(name) as string, arguments: json };
}

/** The JSON object of a call's arguments; undefined for another value. A function without parameters has none to write. */
function argumentsObject(json: string): string | undefined {
  if (json === "null") return "{}";
  if (json.startsWith("{")) return json;
  // Some models write the arguments as OpenAI's API carries them: as a string of JSON.
  const text = (JSON.parse(json) as string).trim();
  return text === "" || text === "null" || text === "None" ? "{}" : repairedJsonObject(text);
}

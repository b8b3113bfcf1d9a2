import { wireFault } from "./wire-fault.ts";

/** A text that may be missing: in messages it is empty then. */
export const textFromWire = (text: string): string | undefined => (text === "" ? undefined : text);

/** A text that is one of a closed set of names. Errors: `invalid_argument` for another one. */
export function nameFromWire<N extends string>(names: readonly N[], text: string, field: string): N {
  const found = names.find((name) => name === text);
  if (found === undefined) throw wireFault(field, `is ${JSON.stringify(text)}, none of ${names.join(", ")}`);
  return found;
}

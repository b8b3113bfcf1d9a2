import { wireFault } from "./wire-fault.ts";

/** The name that has this value in a table of an enum's values. Errors: `invalid_argument` for a value of another build, and for none. */
export function enumNameFromWire<N extends string>(
  values: Readonly<Record<N, number>>,
  value: number,
  field: string,
): N {
  for (const name in values) if (values[name] === value) return name;
  throw wireFault(field, value === 0 ? "is missing" : `is ${value}, which this build does not know`);
}

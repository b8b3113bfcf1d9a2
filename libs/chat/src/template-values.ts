import { DroverError } from "@drover/core";
import { Environment } from "@huggingface/jinja";
import { INPUT_DEPTH_MAX } from "./limits.ts";
import { escapeMarks } from "./trusted-marks.ts";

/** A value of a running template. */
export type TemplateValue = ReturnType<Environment["set"]>;
type Made = new (value: unknown) => TemplateValue;

/** The interpreter exports none of its classes, but makes a value of each. */
const sample = new Environment();
const classOf = (name: string, value: unknown) => sample.set(name, value).constructor as Made;
const IntegerValue = classOf("integer", 1);
const FloatValue = classOf("float", 0.5);
const StringValue = classOf("string", "");
const BooleanValue = classOf("boolean", true);
const NullValue = classOf("null", null);
const UndefinedValue = classOf("undefined", undefined);
const ArrayValue = classOf("array", []);
const ObjectValue = classOf("object", {});
const FunctionValue = classOf("function", () => null);

export const stringValue = (text: string): TemplateValue => new StringValue(text);
export const integerValue = (value: number): TemplateValue => new IntegerValue(value);
export const floatValue = (value: number): TemplateValue => new FloatValue(value);
export const arrayValue = (items: readonly TemplateValue[]): TemplateValue => new ArrayValue(items);
export const undefinedValue = (): TemplateValue => new UndefinedValue(undefined);

/** A function that a template can call; keyword arguments come last, as an object. */
export function functionValue(call: (args: readonly TemplateValue[]) => TemplateValue): TemplateValue {
  return new FunctionValue(call);
}

/** A client's value for a template, its texts escaped. Errors: `invalid_argument` naming `field` for what is nested too deep. */
export function inputValue(value: unknown, field: string, depth = 1): TemplateValue {
  if (typeof value === "string") return new StringValue(escapeMarks(value));
  if (typeof value === "number") return Number.isInteger(value) ? new IntegerValue(value) : new FloatValue(value);
  if (typeof value === "bigint") return new IntegerValue(value);
  if (typeof value === "boolean") return new BooleanValue(value);
  if (value === null) return new NullValue(null);
  if (typeof value !== "object") return new UndefinedValue(undefined);
  if (value instanceof Number) return new FloatValue(value.valueOf());
  if (depth > INPUT_DEPTH_MAX)
    throw new DroverError("invalid_argument", `${field} is nested deeper than ${INPUT_DEPTH_MAX} levels`, { field });
  if (Array.isArray(value)) return new ArrayValue(value.map((item) => inputValue(item, field, depth + 1)));
  const entries = Object.entries(value).map(
    ([key, item]) => [escapeMarks(key), inputValue(item, field, depth + 1)] as const,
  );
  return new ObjectValue(new Map(entries));
}

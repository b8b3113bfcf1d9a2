import { assert, assertNever, DroverError } from "@drover/core";
import type { Static, TSchema } from "typebox";
import {
  type JsonSchema,
  jsonSchema,
  LACKS,
  SAYS,
  SENTENCES,
  TYPE_SENTENCES,
  UNCHECKED,
  UNNAMED,
} from "./sentences.ts";

/** A value that a schema does not take: the field at fault, empty for the value itself, and what it must be. */
type Refusal = Readonly<{ path: string; sentence: string }>;

/** Undefined for a value that is taken. */
type Check = (value: unknown) => Refusal | undefined;

/**
 * A reader of values that clients send: it returns a value of the schema's type as it is, and names the first field that is none. `null` is an
 * absent field; fields that the schema does not name are left alone. Takes what the schema takes, but for text that is no valid Unicode and
 * integers that a double cannot hold. Errors: `invalid_argument` with the field in the client's words (`messages[0].role`).
 */
export function parserOf<T extends TSchema>(schema: T): (value: unknown) => Static<T> {
  const check = checkOf(jsonSchema(schema));
  return (value) => {
    const refusal = check(value);
    if (refusal === undefined) return value as Static<T>;
    const { path, sentence } = refusal;
    if (sentence !== TYPE_SENTENCES.object) throw fieldError(path, sentence);
    throw fieldError(path, `${path === "" ? "the body" : path} ${sentence}`);
  };
}

/** A field of a client's that is refused; an empty field is the body. */
export function fieldError(field: string, sentence: string, cause?: unknown): DroverError {
  return new DroverError("invalid_argument", sentence, { ...(field !== "" && { field }), cause });
}

/** Schemas become functions once, so that a request only runs through what its fields are. */
function checkOf(schema: JsonSchema): Check {
  if (schema.discriminator !== undefined) return taggedCheck(schema, schema.discriminator.propertyName);
  if (schema.anyOf !== undefined) return unionCheck(schema, schema.anyOf);
  if (schema.enum !== undefined) return choiceCheck(schema, schema.enum);
  if (schema.const !== undefined) return choiceCheck(schema, [schema.const]);
  switch (schema.type) {
    case undefined:
      return () => undefined;
    case "string":
      return stringCheck(schema);
    case "number":
      return numberCheck(schema, Number.isFinite);
    case "integer":
      return numberCheck(schema, isIntegerUpTo(schema.maximum ?? Number.MAX_SAFE_INTEGER));
    case "array":
      return listCheck(schema);
    case "object":
      return objectCheck(schema);
    case "boolean":
      return (value) => (typeof value === "boolean" ? undefined : refusalOf(schema));
    case "null":
      return (value) => (value === null ? undefined : refusalOf(schema));
    default:
      return assertNever(schema.type);
  }
}

function refusalOf(schema: JsonSchema): Refusal {
  assert(schema.type !== undefined || schema[SAYS] !== undefined, "a schema that can refuse a value says why");
  return { path: "", sentence: schema[SAYS] ?? TYPE_SENTENCES[schema.type ?? "null"] };
}

const itself = (sentence: string): Refusal => ({ path: "", sentence });

function within(name: string, { path, sentence }: Refusal): Refusal {
  return { path: path === "" ? name : path.startsWith("[") ? name + path : `${name}.${path}`, sentence };
}

/** Integers that a double holds exactly, and beyond them only where a schema's bound says so. */
const isIntegerUpTo = (maximum: number) => (value: unknown) =>
  Number.isSafeInteger(value) || (Number.isInteger(value) && Math.abs(Number(value)) <= maximum);

function numberCheck(schema: JsonSchema, isOne: (value: unknown) => boolean): Check {
  const { minimum = -Infinity, exclusiveMinimum = -Infinity, maximum = Infinity } = schema;
  return (value) => {
    if (typeof value !== "number" || !isOne(value)) return refusalOf(schema);
    if (value < minimum) return itself(SENTENCES.minimum(minimum));
    if (value <= exclusiveMinimum) return itself(SENTENCES.exclusiveMinimum(exclusiveMinimum));
    if (value > maximum) return itself(SENTENCES.maximum(maximum));
    return undefined;
  };
}

function stringCheck(schema: JsonSchema): Check {
  const { minLength = 0, maxLength = Infinity } = schema;
  return (value) => {
    if (typeof value !== "string") return refusalOf(schema);
    if (value.length < minLength) return itself(schema[SAYS] ?? SENTENCES.empty);
    if (value.length > maxLength) return itself(SENTENCES.maxLength(maxLength));
    return value.isWellFormed() ? undefined : itself(SENTENCES.unicode);
  };
}

/** One of a few values; a typed one says first that it is of another type. */
function choiceCheck(schema: JsonSchema, choices: readonly unknown[]): Check {
  const { type } = schema;
  const sentence = schema[SAYS] ?? `must be ${choices.join(" or ")}`;
  return (value) => {
    if (choices.includes(value)) return undefined;
    if (type !== "string") return itself(sentence);
    if (typeof value !== "string") return itself(TYPE_SENTENCES.string);
    return itself(value.isWellFormed() ? sentence : SENTENCES.unicode);
  };
}

function listCheck(schema: JsonSchema): Check {
  const { minItems = 0, maxItems = Infinity, items = {} } = schema;
  const check = checkOf(items);
  return (value) => {
    if (!Array.isArray(value)) return refusalOf(schema);
    if (value.length < minItems) return itself(SENTENCES.empty);
    if (value.length > maxItems) return itself(SENTENCES.maxItems(maxItems));
    if (schema[UNCHECKED] === true) return undefined;
    for (let i = 0; i < value.length; i++) {
      const refusal = check(value[i]);
      if (refusal !== undefined) return schema[UNNAMED] === true ? refusal : within(`[${i}]`, refusal);
    }
    return undefined;
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const ownField = (value: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined;

function objectCheck(schema: JsonSchema): Check {
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => ({
    name,
    check: checkOf(field),
    missing: schema.required?.includes(name) === true ? missingField(schema, name, field) : undefined,
  }));
  const [others] = Object.values(schema.patternProperties ?? {});
  const otherCheck = others === undefined ? undefined : checkOf(others);
  return (value) => {
    if (!isObject(value)) return refusalOf(schema);
    for (const { name, check, missing } of fields) {
      const field = ownField(value, name);
      const refusal = field === undefined ? missing : check(field);
      if (refusal !== undefined) return refusal === missing ? refusal : within(name, refusal);
    }
    if (otherCheck === undefined) return undefined;
    for (const name of Object.keys(value)) {
      const refusal = otherCheck(value[name]);
      if (refusal !== undefined) return within(name, refusal);
    }
    return undefined;
  };
}

function missingField(schema: JsonSchema, name: string, field: JsonSchema): Refusal {
  const lacks = schema[LACKS];
  return lacks === undefined ? { path: name, sentence: field[LACKS] ?? SENTENCES.required } : itself(lacks);
}

/** One schema, and null where another one says so; or several, of which a value's own type tells which one it must be. */
function unionCheck(schema: JsonSchema, branches: readonly JsonSchema[]): Check {
  const [first, ...rest] = branches.filter(({ type }) => type !== "null");
  assert(first !== undefined, "a union has a schema besides null");
  const isNullable = rest.length + 1 < branches.length;
  if (rest.length === 0) {
    const check = checkOf(first);
    return (value) => (value === null && isNullable ? undefined : check(value));
  }
  const checks = new Map(branches.map((branch) => [branch.type, checkOf(branch)]));
  assert(checks.size === branches.length && !checks.has(undefined), "a union's schemas are told apart by their types");
  const other = refusalOf(schema);
  return (value) => {
    const check = checks.get(typeOf(value));
    return check === undefined ? other : check(value);
  };
}

/** The type of JSON that a value has, as a schema's `type` names it; a whole number is a number. */
function typeOf(value: unknown): JsonSchema["type"] {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? type : "object";
}

/** Objects that are told apart by a field; one of a kind that is not among them is named by its kind. */
function taggedCheck(schema: JsonSchema, tagName: string): Check {
  const branches = (schema.anyOf ?? []).map(
    (branch) => [branch.properties?.[tagName]?.const, checkOf(branch)] as const,
  );
  const checks = new Map<unknown, Check>(branches);
  const other = refusalOf(schema);
  const tagOf = objectCheck({ properties: { [tagName]: { type: "string" } }, required: [tagName], type: "object" });
  return (value) => {
    const refusal = tagOf(value);
    if (refusal !== undefined) return refusal;
    const tag = (value as Readonly<Record<string, unknown>>)[tagName];
    const check = checks.get(tag);
    return check === undefined ? within(String(tag).slice(0, 100), other) : check(value);
  };
}

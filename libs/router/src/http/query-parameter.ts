import { DroverError } from "@drover/core";

/** A request's query string as it was parsed: a name that comes several times has a list. */
export type QueryString = Readonly<Record<string, unknown>>;

/** A parameter that may come once; undefined where it does not come at all. Errors: `invalid_argument` by its name. */
export function queryParameter(query: QueryString, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === "string") return value;
  throw new DroverError("invalid_argument", "may be given only once", { field: name });
}

import { DroverError } from "./errors.ts";

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Names one client call for its whole life, over all attempts. */
export type RequestId = Brand<string, "RequestId">;
/** Names a worker by its place in the fleet (stable over restarts); an incarnation tells its lives apart. */
export type WorkerId = Brand<string, "WorkerId">;
/** Names one life of a router process. */
export type RouterId = Brand<string, "RouterId">;
/** The served model's name; everything that names a worker, queue, map or metric carries it. */
export type ModelId = Brand<string, "ModelId">;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@/-]{0,199}$/;

function name<B extends string>(kind: B, value: string): Brand<string, B> {
  if (!NAME.test(value)) {
    throw new DroverError("invalid_argument", `${kind} ${JSON.stringify(value.slice(0, 60))} is not a valid name`);
  }
  return value as Brand<string, B>;
}

/** Mints an id from text that came from outside. Errors: `invalid_argument` for anything but 1 to 200 of `A-Za-z0-9._@/-`. */
export const requestId = (value: string): RequestId => name("RequestId", value);
/**
 * The served model's id: what it was given, or its folder's name. Errors: `invalid_argument` with the flag that helps, where a folder's name
 * is none.
 */
export function servedModelId(given: string | undefined, folderName: string): ModelId {
  if (given !== undefined) return modelId(given);
  if (NAME.test(folderName)) return modelId(folderName);
  const sentence = `--model-name is needed: the folder's name ${JSON.stringify(folderName.slice(0, 60))} has more than letters, digits and . _ @ -`;
  throw new DroverError("invalid_argument", sentence, { field: "model_name" });
}

/** See {@link requestId}. */
export const workerId = (value: string): WorkerId => name("WorkerId", value);
/** See {@link requestId}. */
export const routerId = (value: string): RouterId => name("RouterId", value);
/** See {@link requestId}. */
export const modelId = (value: string): ModelId => name("ModelId", value);

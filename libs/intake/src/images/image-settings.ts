import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { CANVAS_PIXELS_MAX, SETTINGS_BYTES_MAX, TILE_SIZE_MAX, TILES_MAX } from "../limits.ts";

/** How a checkpoint wants its images cut. */
export type ImageSettings = Readonly<{
  /** Side of a tile in pixels. */
  tileSize: number;
  /** Most tiles of a grid; the global tile is not counted. */
  tileCountMax: number;
}>;

type JsonObject = Readonly<Record<string, unknown>>;

const FILE = "preprocessor_config.json";
/** Pillow's number of the triangle filter. */
const BILINEAR = 2;

/**
 * Reads a checkpoint's preprocessor_config.json; undefined where config.json has no vision encoder, or where neither is there.
 * Errors: `invalid_argument` naming file and field, also for a preprocessing that Llama 4 does not have.
 * Source: `Llama4ImageProcessor` in Hugging Face transformers.
 */
export async function loadImageSettings(directory: string): Promise<ImageSettings | undefined> {
  const config = await readJsonObject(join(directory, "config.json"), "config.json");
  if (config !== undefined && !isObject(config.vision_config)) return undefined;
  const own = await readJsonObject(join(directory, FILE), FILE);
  if (own === undefined && config === undefined) return undefined;
  if (own === undefined) {
    throw new DroverError("invalid_argument", `${FILE} is missing: config.json has a vision_config`, { field: FILE });
  }
  return parseImageSettings(own);
}

/** Checks the object that preprocessor_config.json holds. Errors: `invalid_argument` naming the field. */
export function parseImageSettings(own: JsonObject): ImageSettings {
  for (const field of ["do_resize", "do_rescale", "do_normalize"]) {
    if ((own[field] ?? true) !== true) fail(field, "must be true");
  }
  // The reference fails for true, so there is nothing to agree with.
  if ((own.resize_to_max_canvas ?? false) !== false) fail("resize_to_max_canvas", "must be false");
  if ((own.resample ?? BILINEAR) !== BILINEAR) fail("resample", `must be ${BILINEAR}, the bilinear filter`);
  const factor = own.rescale_factor ?? 1 / 255;
  if (typeof factor !== "number" || !(Math.abs(factor * 255 - 1) < 1e-6)) fail("rescale_factor", "must be 1/255");
  for (const field of ["image_mean", "image_std"]) {
    const value = own[field] ?? [0.5, 0.5, 0.5];
    if (!Array.isArray(value) || value.length !== 3 || value.some((channel) => channel !== 0.5)) {
      fail(field, "must be [0.5, 0.5, 0.5]");
    }
  }
  const tileSize = readTileSize(own.size);
  const tileCountMax = readCount(own.max_patches, "max_patches", TILES_MAX);
  if (tileCountMax * tileSize ** 2 > CANVAS_PIXELS_MAX) {
    fail("max_patches", `and size make more than ${CANVAS_PIXELS_MAX} pixels`);
  }
  return Object.freeze({ tileSize, tileCountMax });
}

/** A tile is square: a number, or equal height and width. */
function readTileSize(size: unknown): number {
  if (!isObject(size)) return readCount(size, "size", TILE_SIZE_MAX);
  const height = readCount(size.height, "size.height", TILE_SIZE_MAX);
  const width = readCount(size.width, "size.width", TILE_SIZE_MAX);
  if (height !== width) fail("size", "must be square");
  return height;
}

function readCount(value: unknown, field: string, most: number): number {
  if (value === undefined || value === null) fail(field, "is missing");
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
    fail(field, `must be a whole number from 1 to ${most}`);
  }
  return value;
}

function fail(field: string, what: string): never {
  throw new DroverError("invalid_argument", `${FILE}: ${field} ${what}`, { field });
}

/** Undefined when there is no such file. */
async function readJsonObject(path: string, name: string): Promise<JsonObject | undefined> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > SETTINGS_BYTES_MAX) {
      throw new DroverError("invalid_argument", `${name} has ${size} bytes, too many for it`, { field: name });
    }
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new DroverError("invalid_argument", `${name} cannot be read`, { field: name, cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DroverError("invalid_argument", `${name} is not valid JSON`, { field: name, cause });
  }
  if (!isObject(value))
    throw new DroverError("invalid_argument", `${name} does not hold a JSON object`, { field: name });
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DroverError, NO_FILE, readFault } from "@drover/core";
import { CANVAS_PIXELS_MAX, SETTINGS_BYTES_MAX, TILE_SIZE_MAX, TILES_MAX } from "../limits.ts";

/** How a checkpoint wants its images cut. */
export type ImageSettings = Readonly<{
  /** Side of a tile in pixels. */
  tileSize: number;
  /** Most tiles of a grid; the global tile is not counted. */
  tileCountMax: number;
}>;

type JsonObject = Readonly<Record<string, unknown>>;

/** Throws, naming the field. */
type Fail = (field: string, what: string) => never;

const FILE = "preprocessor_config.json";
/** What transformers 5 writes instead, with the image processor as one part of it. */
const PROCESSOR_FILE = "processor_config.json";
/** Pillow's number of the triangle filter. */
const BILINEAR = 2;

/** How images are cut, or why the checkpoint's cannot be: it then serves text. */
export type ImageReading = Readonly<
  { settings: ImageSettings; because?: never } | { settings?: never; because: string }
>;

/**
 * Reads how a checkpoint wants its images cut: `image_processor` of processor_config.json, as transformers 5 writes it, else preprocessor_config.json.
 * Where config.json has no vision encoder, where neither file is there, where one asks for a preprocessing that Llama 4 does not have, and where the
 * checkpoint's `weights` of the encoder are absent, the reason.
 * Errors: `invalid_argument` naming the file, for one that is damaged. Source: `Llama4ImageProcessor` in Hugging Face transformers.
 */
export async function readImages(directory: string, weights: "present" | "absent" | "unknown"): Promise<ImageReading> {
  const config = await readJsonObject(join(directory, "config.json"), "config.json");
  if (config !== undefined && !isObject(config.vision_config)) return { because: "config.json has no vision_config" };
  const nested = (await readJsonObject(join(directory, PROCESSOR_FILE), PROCESSOR_FILE))?.image_processor;
  const own = isObject(nested) ? nested : await readJsonObject(join(directory, FILE), FILE);
  if (own === undefined) return { because: `there is no ${FILE}, and no ${PROCESSOR_FILE} with an image_processor` };
  if (weights === "absent") return { because: "the checkpoint has no tensors of a vision encoder" };
  try {
    return { settings: parseImageSettings(own, own === nested ? `${PROCESSOR_FILE}: image_processor.` : `${FILE}: `) };
  } catch (error) {
    if (error instanceof DroverError) return { because: error.message };
    throw error;
  }
}

/** The settings alone, where there are any. Errors: as {@link readImages}. */
export async function loadImageSettings(directory: string): Promise<ImageSettings | undefined> {
  return (await readImages(directory, "unknown")).settings;
}

/** Checks an image processor's own settings; `place` stands before the field in a message. Errors: `invalid_argument` naming the field. */
export function parseImageSettings(own: JsonObject, place = `${FILE}: `): ImageSettings {
  const fail: Fail = (field, what) => {
    throw new DroverError("invalid_argument", `${place}${field} ${what}`, { field });
  };
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
  const tileSize = readTileSize(own.size, fail);
  const tileCountMax = readCount(own.max_patches, "max_patches", TILES_MAX, fail);
  if (tileCountMax * tileSize ** 2 > CANVAS_PIXELS_MAX) {
    fail("max_patches", `and size make more than ${CANVAS_PIXELS_MAX} pixels`);
  }
  return Object.freeze({ tileSize, tileCountMax });
}

/** A tile is square: a number, or equal height and width. */
function readTileSize(size: unknown, fail: Fail): number {
  if (!isObject(size)) return readCount(size, "size", TILE_SIZE_MAX, fail);
  const height = readCount(size.height, "size.height", TILE_SIZE_MAX, fail);
  const width = readCount(size.width, "size.width", TILE_SIZE_MAX, fail);
  if (height !== width) fail("size", "must be square");
  return height;
}

function readCount(value: unknown, field: string, most: number, fail: Fail): number {
  if (value === undefined || value === null) return fail(field, "is missing");
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
    return fail(field, `must be a whole number from 1 to ${most}`);
  }
  return value;
}

/** Undefined when there is no such file. */
async function readJsonObject(path: string, name: string): Promise<JsonObject | undefined> {
  let text: string;
  try {
    const facts = await stat(path);
    const { size } = facts;
    if (!facts.isFile())
      throw new DroverError("invalid_argument", `${name} cannot be read: ${NO_FILE}`, { field: name });
    if (size > SETTINGS_BYTES_MAX) {
      throw new DroverError("invalid_argument", `${name} has ${size} bytes, too many for it`, { field: name });
    }
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new DroverError("invalid_argument", `${name} cannot be read: ${readFault(cause)}`, { field: name, cause });
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

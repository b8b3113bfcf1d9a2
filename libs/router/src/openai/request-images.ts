import { assert, DroverError, type ImageTiles, type PatchRun } from "@drover/core";
import type { ServedImages } from "../served-model.ts";
import type { RequestContext } from "./request-context.ts";

/** An image that a message names, and the field that names it. */
export type ImageReference = Readonly<{ url: string; field: string }>;

/** An image of a prepared request: its tiles, and the prompt rows that its features take the place of. */
export type RequestImage = Readonly<{ tiles: ImageTiles; runs: readonly PatchRun[] }>;

/** Fetches and cuts a request's images, in order; their tiles count against the router's limit. Errors: those of opening one, with its field. */
export async function openImages(
  references: readonly ImageReference[],
  images: ServedImages | undefined,
  context: RequestContext,
): Promise<readonly ImageTiles[]> {
  const [first] = references;
  if (first === undefined) return [];
  if (images === undefined)
    throw new DroverError("invalid_argument", "the model reads no images", { field: first.field });
  // When one cannot be opened, the others need not be.
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const open = async ({ url, field }: ImageReference) => {
    try {
      const opened = context.timeImage();
      const tiles = await images.intake.open(url, signal);
      opened();
      context.holdBytes(tiles.pixels.byteLength);
      return tiles;
    } catch (error) {
      throw withField(error, field);
    }
  };
  try {
    return await Promise.all(references.map(open));
  } finally {
    failed.abort(new DroverError("cancelled", "another image of the request could not be opened"));
  }
}

function withField(error: unknown, field: string): unknown {
  if (!(error instanceof DroverError) || error.field !== undefined || error.code === "cancelled") return error;
  const { code, message, retryAfterMs, cause } = error;
  return new DroverError(code, message, { field, cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

/** Finds each image's rows: the prompt's patch tokens in order, as many for an image as its tiles have patches. */
export function placeImages(
  ids: Uint32Array,
  tilesOfImages: readonly ImageTiles[],
  { patchTokenId, patchesPerTile }: ServedImages,
): readonly RequestImage[] {
  let at = 0;
  return tilesOfImages.map((tiles) => {
    const runs: { start: number; count: number }[] = [];
    let missing = (tiles.pixels.byteLength / (3 * tiles.tileSize ** 2)) * patchesPerTile;
    for (; missing > 0; at++) {
      assert(at < ids.length, "a prompt has a patch token for every row of its images' features");
      if (ids[at] !== patchTokenId) continue;
      const last = runs.at(-1);
      if (last !== undefined && last.start + last.count === at) last.count += 1;
      else runs.push({ start: at, count: 1 });
      missing -= 1;
    }
    return { tiles, runs };
  });
}

import { IMAGES_MAX } from "../limits.ts";
import type { ImageReference } from "../request/generation-query.ts";
import type { ModelFacts } from "../request/model-facts.ts";
import { fieldError } from "../schema/check.ts";

/** Adds an image of the part at `place`. Errors: `invalid_argument` when a request has too many. */
export function addImage(images: ImageReference[], image: ImageReference, place: string): void {
  images.push(image);
  if (images.length > IMAGES_MAX) throw fieldError(place, `a request may have at most ${IMAGES_MAX} images`);
}

/** Errors: `invalid_argument` by the first image's field where the model reads none. */
export function checkReadsImages([first]: readonly ImageReference[], { readsImages }: ModelFacts): void {
  if (first !== undefined && !readsImages) throw fieldError(first.field, "the model reads no images");
}

/** The image of a part's `image_url`, which OpenAI's chats write as an object and its responses, among others, as a text. */
export function imageAt(given: string | Readonly<{ url: string }>, field: string): ImageReference {
  return typeof given === "string" ? { url: given, field } : { url: given.url, field: `${field}.url` };
}

import { type Static, Type } from "typebox";
import { IMAGES_MAX } from "../limits.ts";
import type { ImageReference } from "../request/generation-query.ts";
import { fieldError } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";

const TextPart = Type.Object({ type: Type.Literal("text"), text: Type.String() });

const ImagePart = Type.Object({
  type: Type.Literal("image_url"),
  image_url: Type.Object({
    url: Type.String({
      description:
        "`data:image/...;base64,...`, or an http(s) URL where the router may fetch those. What is no PNG, JPEG, WebP or GIF image is refused with 400.",
    }),
    detail: optional(
      Type.Enum(["auto", "low", "high"], {
        type: "string",
        description: "Taken and without effect: images are cut as the model was trained.",
        [SAYS]: "must be auto, low or high",
      }),
    ),
  }),
});

/** A part of a message: text, or an image. */
export const ContentPart = Type.Union([TextPart, ImagePart], {
  discriminator: { propertyName: "type" },
  [SAYS]: "is not supported: a part must be text or image_url",
});

/** What a message says. */
export const Content = Type.Union([Type.String(), Type.Array(ContentPart)], {
  description: "Text, or a list of text and images.",
  [SAYS]: "must be a string or a list of parts",
});

/** A part as templates take it: the place of an image is all that they need. */
type TemplatePart = Readonly<{ type: "text"; text: string }> | Readonly<{ type: "image_url" }>;

/** Adds the content's images to `images`. Errors: `invalid_argument` when a request has too many. */
export function readContent(
  content: Static<typeof Content>,
  field: string,
  images: ImageReference[],
): string | TemplatePart[] {
  if (typeof content === "string") return content;
  return content.map((part, i) => {
    if (part.type === "text") return { type: "text", text: part.text };
    const name = `${field}[${i}].image_url`;
    images.push({ url: part.image_url.url, field: `${name}.url` });
    if (images.length > IMAGES_MAX) throw fieldError(name, `a request may have at most ${IMAGES_MAX} images`);
    return { type: "image_url" };
  });
}

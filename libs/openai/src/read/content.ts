import { type Static, Type } from "typebox";
import type { ImageReference } from "../request/generation-query.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";
import { addImage } from "./images.ts";

const TextPart = Type.Object({ type: Type.Literal("text"), text: Type.String() });

/** Texts as the Responses API calls them, in histories that its clients keep. */
const InputTextPart = Type.Object({ type: Type.Literal("input_text"), text: Type.String() });
const OutputTextPart = Type.Object({ type: Type.Literal("output_text"), text: Type.String() });

const RefusalPart = Type.Object({
  type: Type.Literal("refusal"),
  refusal: Type.String({ description: "Of an assistant: read as text." }),
});

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
export const ContentPart = Type.Union([TextPart, InputTextPart, OutputTextPart, RefusalPart, ImagePart], {
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
    if (part.type === "refusal") return { type: "text", text: part.refusal };
    if (part.type !== "image_url") return { type: "text", text: part.text };
    const name = `${field}[${i}].image_url`;
    addImage(images, { url: part.image_url.url, field: `${name}.url` }, name);
    return { type: "image_url" };
  });
}

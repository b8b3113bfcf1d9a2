import { type Static, Type } from "typebox";
import type { ImageReference } from "../request/generation-query.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";
import { addImage, imageAt } from "./images.ts";

const TextPart = Type.Object({ type: Type.Literal("text"), text: Type.String() });

/** Texts as the Responses API calls them, in histories that its clients keep. */
const InputTextPart = Type.Object({ type: Type.Literal("input_text"), text: Type.String() });
const OutputTextPart = Type.Object({ type: Type.Literal("output_text"), text: Type.String() });

const RefusalPart = Type.Object({
  type: Type.Literal("refusal"),
  refusal: Type.String({ description: "Of an assistant: read as text." }),
});

const IMAGE_URL = Type.String({
  description:
    "`data:image/...;base64,...`, or an http(s) URL where the router may fetch those. What is no PNG, JPEG, WebP or GIF image is refused with 400.",
});

/** Where an image is. Chats name it in an object, other interfaces and older clients by the text alone. */
export const ImageUrl = Type.Union(
  [
    Type.Object({
      url: IMAGE_URL,
      detail: optional(
        Type.Enum(["auto", "low", "high"], {
          type: "string",
          description: "Taken and without effect: images are cut as the model was trained.",
          [SAYS]: "must be auto, low or high",
        }),
      ),
    }),
    IMAGE_URL,
  ],
  { [SAYS]: "must be a JSON object or a string" },
);

const imagePart = <T extends "image_url" | "input_image">(type: T) =>
  Type.Object({ type: Type.Literal(type), image_url: ImageUrl });

/** What a model has thought, in histories that clients keep: templates have no place for it. */
const thoughtPart = <T extends "thinking" | "redacted_thinking" | "reasoning">(type: T) =>
  Type.Object({ type: Type.Literal(type) });

/** A part of a message: text, or an image. */
export const ContentPart = Type.Union(
  [
    TextPart,
    InputTextPart,
    OutputTextPart,
    RefusalPart,
    imagePart("image_url"),
    imagePart("input_image"),
    thoughtPart("thinking"),
    thoughtPart("redacted_thinking"),
    thoughtPart("reasoning"),
  ],
  { discriminator: { propertyName: "type" }, [SAYS]: "is not supported: a part must be text or image_url" },
);

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
  return content.flatMap((part, i): TemplatePart[] => {
    switch (part.type) {
      case "thinking":
      case "redacted_thinking":
      case "reasoning":
        return [];
      case "image_url":
      case "input_image": {
        const name = `${field}[${i}].image_url`;
        addImage(images, imageAt(part.image_url, name), name);
        return [{ type: "image_url" }];
      }
      default:
        return [{ type: "text", text: part.type === "refusal" ? part.refusal : part.text }];
    }
  });
}

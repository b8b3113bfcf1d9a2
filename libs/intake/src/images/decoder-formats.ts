import sharp from "sharp";
import { IMAGE_FORMATS } from "./image-format.ts";

/** libvips's loaders of the four formats; all others are switched off, whatever a file looks like to them. */
const LOADERS = { png: "Png", jpeg: "Jpeg", webp: "Webp", gif: "Nsgif" } as const;

/**
 * Switches off all decoders but those of the four formats, for the whole process. Loaded once, before any thread decodes: in between all of
 * them are off, and a picture that another thread decodes then would look damaged.
 */
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({ operation: IMAGE_FORMATS.map((format) => `VipsForeignLoad${LOADERS[format]}Buffer`) });

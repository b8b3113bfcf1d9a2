import { at, DroverError } from "@drover/core";
import { DATA_URL_HEADER_CHARACTERS_MAX, IMAGE_FILE_BYTES_MAX } from "../limits.ts";
import { sniffImageFormat } from "./image-format.ts";

const SCHEME = "data:";
/** What a header of base64 ends with, as the URL standard writes it. */
const ENCODING = /; *base64 *$/;
/** Media types that say nothing of what the bytes are. */
const UNNAMED = ["", "application/octet-stream"];
export const isDataUrl = (url: string) => url.trimStart().slice(0, SCHEME.length).toLowerCase() === SCHEME;

/**
 * The bytes of a data URL: base64 as the URL standard reads it, which is of the standard alphabet, may have line breaks and other white space in it
 * as MIME encoders write them, may be percent-encoded, and may lack its padding. The media type must be an image's, or say nothing; which image it
 * is, the bytes alone decide: clients often name another. Errors: `invalid_argument` otherwise, when they are no image that is taken, or too many.
 * Source: https://fetch.spec.whatwg.org/#data-url-processor, https://infra.spec.whatwg.org/#forgiving-base64-decode.
 */
export function readDataUrl(url: string): Uint8Array<ArrayBuffer> {
  const text = url.trimStart();
  const comma = text.slice(0, SCHEME.length + DATA_URL_HEADER_CHARACTERS_MAX).indexOf(",");
  if (comma < 0) throw invalid("a data URL has the form data:image/png;base64,...");
  const header = text.slice(SCHEME.length, comma).toLowerCase();
  if (!ENCODING.test(header)) throw invalid("a data URL's image must be base64");
  const mediaType = at(header.split(";"), 0).trim();
  if (!mediaType.startsWith("image/") && !UNNAMED.includes(mediaType))
    throw invalid("a data URL's media type must be that of an image, such as image/png");
  const file = readBase64(withoutSpace(percentDecoded(text.slice(comma + 1))));
  sniffImageFormat(file);
  return file;
}

function percentDecoded(text: string): string {
  if (!text.includes("%")) return text;
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function withoutSpace(text: string): string {
  return /[\t\n\f\r ]/.test(text) ? text.replaceAll(/[\t\n\f\r ]+/g, "") : text;
}

function readBase64(text: string): Uint8Array<ArrayBuffer> {
  const paddingLength = text.length % 4 !== 0 ? 0 : text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const digitCount = text.length - paddingLength;
  const length = Math.floor((digitCount * 3) / 4);
  if (length > IMAGE_FILE_BYTES_MAX) {
    throw invalid(`the image has ${length} bytes; at most ${IMAGE_FILE_BYTES_MAX} are taken`);
  }
  const file = Buffer.from(text, "base64");
  // Node drops what is no base64, so then there are fewer bytes than characters promise; only the alphabet of URLs it takes as well.
  if (digitCount % 4 === 1 || file.length !== length || text.includes("-") || text.includes("_"))
    throw invalid("the data URL is not valid base64");
  return file;
}

function invalid(message: string): DroverError {
  return new DroverError("invalid_argument", message);
}

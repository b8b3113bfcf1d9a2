// Prompts to token ids, on threads.

export { withFirst } from "./prompts/first-token.ts";
export { packPrompt, type UnpackedPrompt, unpackPrompt } from "./prompts/packed-prompt.ts";
export { PromptPool } from "./prompts/prompt-pool.ts";

// Images to tiles: the whole way from what a request names, then its parts.

export { isDataUrl, readDataUrl } from "./images/data-url.ts";
export { ImageFetcher } from "./images/image-fetcher.ts";
export { ImageOpener } from "./images/image-opener.ts";
export { ImagePool } from "./images/image-pool.ts";
export { type ImageReading, type ImageSettings, readImages } from "./images/image-settings.ts";

export { ImageFetcher } from "./images/image-fetcher.ts";
export { ImageOpener } from "./images/image-opener.ts";
export { ImagePool } from "./images/image-pool.ts";
export { type ImageSettings, loadImageSettings } from "./images/image-settings.ts";
export { PromptPool } from "./prompts/prompt-pool.ts";

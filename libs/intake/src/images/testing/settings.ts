import type { ImageSettings } from "../image-settings.ts";

/** The two settings of the goldens. */
export const settingsOf: Readonly<Record<"maverick" | "nano", ImageSettings>> = {
  maverick: { tileSize: 336, tileCountMax: 16 },
  nano: { tileSize: 112, tileCountMax: 4 },
};

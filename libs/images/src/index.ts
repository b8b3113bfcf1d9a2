export * from "./cut-tiles.ts";
export * from "./image-grid.ts";
export * from "./image-pool.ts";
export * from "./image-settings.ts";
export * from "./resize-triangle.ts";
export * from "./rgb-picture.ts";
export * from "./tiles-hash.ts";

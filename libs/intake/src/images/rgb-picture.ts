/** A decoded picture: `pixels` are grey levels, [height, width, 3] row-major. */
export type RgbPicture = Readonly<{ width: number; height: number; pixels: Uint8Array }>;

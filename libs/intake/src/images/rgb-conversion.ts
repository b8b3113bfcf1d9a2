/** A whole number of 0..255 x 0..255 divided by 255, to the nearest: 255 is odd, so there are no ties. */
const dividedBy255 = (product: number) => ((product + 127) / 255) | 0;

/** Composites [n, 4] RGBA, alpha not premultiplied, over white: [n, 3] RGB, in the place of what is given, for pictures are large. */
export function overWhite(rgba: Uint8Array): Uint8Array {
  let to = 0;
  for (let from = 0; from < rgba.length; from += 4) {
    const alpha = rgba[from + 3] ?? 0;
    const white = 255 * (255 - alpha);
    rgba[to] = dividedBy255((rgba[from] ?? 0) * alpha + white);
    rgba[to + 1] = dividedBy255((rgba[from + 1] ?? 0) * alpha + white);
    rgba[to + 2] = dividedBy255((rgba[from + 2] ?? 0) * alpha + white);
    to += 3;
  }
  return rgba.subarray(0, to);
}

/**
 * Turns [n, 4] inks into [n, 3] RGB, in place as well, and without a colour profile, as Pillow does: each ink dims the light that black lets
 * through.
 */
export function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  let to = 0;
  for (let from = 0; from < cmyk.length; from += 4) {
    const light = 255 - (cmyk[from + 3] ?? 0);
    cmyk[to] = light - dividedBy255((cmyk[from] ?? 0) * light);
    cmyk[to + 1] = light - dividedBy255((cmyk[from + 1] ?? 0) * light);
    cmyk[to + 2] = light - dividedBy255((cmyk[from + 2] ?? 0) * light);
    to += 3;
  }
  return cmyk.subarray(0, to);
}

/** A whole number of 0..255 x 0..255 divided by 255, to the nearest: 255 is odd, so there are no ties. */
const dividedBy255 = (product: number) => ((product + 127) / 255) | 0;

/** Composites [n, 4] RGBA, alpha not premultiplied, over white: [n, 3] RGB. */
export function overWhite(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = rgba[from + 3] ?? 0;
    const white = 255 * (255 - alpha);
    rgb[to] = dividedBy255((rgba[from] ?? 0) * alpha + white);
    rgb[to + 1] = dividedBy255((rgba[from + 1] ?? 0) * alpha + white);
    rgb[to + 2] = dividedBy255((rgba[from + 2] ?? 0) * alpha + white);
  }
  return rgb;
}

/** Turns [n, 4] inks into [n, 3] RGB without a colour profile, as Pillow does: each ink dims the light that black lets through. */
export function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4, to += 3) {
    const light = 255 - (cmyk[from + 3] ?? 0);
    rgb[to] = light - dividedBy255((cmyk[from] ?? 0) * light);
    rgb[to + 1] = light - dividedBy255((cmyk[from + 1] ?? 0) * light);
    rgb[to + 2] = light - dividedBy255((cmyk[from + 2] ?? 0) * light);
  }
  return rgb;
}

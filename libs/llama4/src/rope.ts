/** RoPE's llama3 scaling: a pair's wavelength against the original context decides whether it is kept, divided by the factor, or between. */
export type RopeScaling = Readonly<{
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalMaxPositionEmbeddings: number;
}>;

/** What turns queries and keys of chunked layers. A scaling of null leaves the frequencies as they are. */
export type Rope = Readonly<{ headDim: number; ropeTheta: number; ropeScaling: RopeScaling | null }>;

/** Rotary tables, [positions, d / 2] each, row-major. */
export type RopeTables = Readonly<{ cos: Float32Array; sin: Float32Array }>;

/**
 * Rotary frequencies, [d / 2] radians a position, in float64, with llama3's scaling: wavelengths above original/low are divided by the
 * factor, those below original/high are kept, and the band between is interpolated.
 */
export function ropeFrequencies(config: Rope): Float64Array {
  const out = new Float64Array(config.headDim / 2);
  for (let j = 0; j < out.length; j++) {
    const frequency = config.ropeTheta ** ((-2 * j) / config.headDim);
    out[j] = config.ropeScaling === null ? frequency : scaled(frequency, config.ropeScaling);
  }
  return out;
}

function scaled(frequency: number, scaling: RopeScaling): number {
  const wavelength = (2 * Math.PI) / frequency;
  const { factor, lowFreqFactor: low, highFreqFactor: high, originalMaxPositionEmbeddings: original } = scaling;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  // With low = high the band is a single point and its width is zero.
  const smooth = high === low ? 1 : (original / wavelength - low) / (high - low);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** Cosine and sine tables for positions 0..rowCount-1; angles in float64, rounded once. */
export function ropeTables(config: Rope, rowCount: number): RopeTables {
  const frequencies = ropeFrequencies(config);
  const half = frequencies.length;
  const cos = new Float32Array(rowCount * half);
  const sin = new Float32Array(rowCount * half);
  for (let position = 0; position < rowCount; position++) {
    for (const [j, frequency] of frequencies.entries()) {
      const angle = position * frequency;
      cos[position * half + j] = Math.cos(angle);
      sin[position * half + j] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

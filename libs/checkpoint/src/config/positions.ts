import type { ModelConfig } from "./model-config.ts";

type RopeConfig = Pick<ModelConfig, "headDim" | "ropeTheta" | "ropeScaling">;

/**
 * Rotary frequencies, [headDim / 2] radians a position, in float64, with llama3's scaling: wavelengths above original/low are divided by the
 * factor, those below original/high are kept, and the band between is interpolated.
 */
export function ropeFrequencies(config: RopeConfig): Float64Array {
  const out = new Float64Array(config.headDim / 2);
  for (let j = 0; j < out.length; j++) {
    const frequency = config.ropeTheta ** ((-2 * j) / config.headDim);
    out[j] = config.ropeScaling === null ? frequency : scaled(frequency, config.ropeScaling);
  }
  return out;
}

function scaled(frequency: number, scaling: NonNullable<ModelConfig["ropeScaling"]>): number {
  const wavelength = (2 * Math.PI) / frequency;
  const { factor, lowFreqFactor: low, highFreqFactor: high, originalMaxPositionEmbeddings: original } = scaling;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  // With low = high the band is a single point and its width is zero.
  const smooth = high === low ? 1 : (original / wavelength - low) / (high - low);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** Cosine and sine tables for positions 0..rowCount-1, [rows, headDim / 2]; angles in float64, rounded once. */
export function ropeTables(config: RopeConfig, rowCount: number): { cos: Float32Array; sin: Float32Array } {
  const frequencies = ropeFrequencies(config);
  const half = frequencies.length;
  const cos = new Float32Array(rowCount * half);
  const sin = new Float32Array(rowCount * half);
  for (let position = 0; position < rowCount; position++) {
    for (let j = 0; j < half; j++) {
      const angle = position * (frequencies[j] ?? 0);
      cos[position * half + j] = Math.cos(angle);
      sin[position * half + j] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** The factor on queries of global layers at an absolute position. Source: Llama4TextAttention, attn_temperature_tuning. */
export function queryTemperature(config: Pick<ModelConfig, "temperatureTuning">, position: number): number {
  const tuning = config.temperatureTuning;
  return tuning === null ? 1 : 1 + tuning.scale * Math.log(1 + Math.floor((position + 1) / tuning.floorScale));
}

/** How queries of global layers grow with their position: `1 + scale * ln(1 + floor((position + 1) / floorScale))`. */
export type TemperatureTuning = Readonly<{ scale: number; floorScale: number }>;

/** The factor on queries of global layers at an absolute position. Source: Llama4TextAttention, attn_temperature_tuning. */
export function queryTemperature(
  config: Readonly<{ temperatureTuning: TemperatureTuning | null }>,
  position: number,
): number {
  const tuning = config.temperatureTuning;
  return tuning === null ? 1 : 1 + tuning.scale * Math.log(1 + Math.floor((position + 1) / tuning.floorScale));
}

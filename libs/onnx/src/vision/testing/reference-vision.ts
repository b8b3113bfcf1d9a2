import type { VisionConfig, VisionWeights } from "@drover/checkpoint";

type Matrix = readonly (readonly number[])[];
type Linear = Readonly<{ weight: Float32Array; bias: Float32Array | null }>;
type Norm = Readonly<{ weight: Float32Array; bias: Float32Array }>;

/** The vision encoder in float64 and plain loops, one tile: pixels u8 [side, side, 3] to features [rowsPerTile][D]. As slow as it is plain. */
export async function referenceFeatures(
  config: VisionConfig,
  weights: VisionWeights,
  pixels: Uint8Array,
): Promise<Matrix> {
  const { imageSize, patchSize, gridSize, hiddenSize, layerCount, shuffle } = config;
  const entry = await weights.entry();
  const patches: number[][] = [];
  for (let row = 0; row < gridSize; row++) {
    for (let column = 0; column < gridSize; column++) {
      const patch: number[] = [];
      for (let channel = 0; channel < 3; channel++)
        for (let y = row * patchSize; y < (row + 1) * patchSize; y++)
          for (let x = column * patchSize; x < (column + 1) * patchSize; x++)
            patch.push((pixels[(y * imageSize + x) * 3 + channel] ?? 0) / 127.5 - 1);
      patches.push(patch);
    }
  }
  let x: Matrix = [...linear(patches, { weight: entry.patches, bias: null }), [...entry.classEmbedding]];
  x = x.map((row, i) => row.map((value, j) => value + (entry.positions[i * hiddenSize + j] ?? 0)));
  x = layerNorm(x, entry.norm);
  for (let layer = 0; layer < layerCount; layer++) {
    const { inputNorm, qkv, output, mlpNorm, fc1, fc2 } = await weights.layer(layer);
    x = add(x, linear(attention(linear(layerNorm(x, inputNorm), qkv), config), output));
    x = add(x, linear(gelu(linear(layerNorm(x, mlpNorm), fc1)), fc2));
  }
  const exit = await weights.exit();
  const last = layerNorm(x.slice(0, -1), exit.norm);
  const shuffled: number[][] = [];
  for (let row = 0; row < gridSize; row += shuffle)
    for (let column = 0; column < gridSize; column += shuffle)
      shuffled.push(
        Array.from({ length: shuffle ** 2 }, (_, i) => {
          const at = (row + Math.floor(i / shuffle)) * gridSize + column + (i % shuffle);
          return last[at] ?? [];
        }).flat(),
      );
  return linear(gelu(linear(gelu(linear(shuffled, exit.fc1)), exit.fc2)), exit.projector);
}

function linear(rows: Matrix, { weight, bias }: Linear): Matrix {
  const inSize = rows[0]?.length ?? 0;
  return rows.map((row) =>
    Array.from({ length: weight.length / inSize }, (_, out) =>
      row.reduce((sum, value, i) => sum + value * (weight[out * inSize + i] ?? 0), bias?.[out] ?? 0),
    ),
  );
}

function layerNorm(rows: Matrix, { weight, bias }: Norm): Matrix {
  return rows.map((row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * (weight[i] ?? 0) + (bias[i] ?? 0));
  });
}

function attention(qkv: Matrix, { hiddenSize, headCount, headDim, gridSize, ropeTheta }: VisionConfig): Matrix {
  const head = (part: number, h: number) =>
    qkv.map((row, i) => {
      const from = part * hiddenSize + h * headDim;
      const values = row.slice(from, from + headDim);
      return part === 2 ? values : rotated(values, i, gridSize, ropeTheta);
    });
  const heads = Array.from({ length: headCount }, (_, h) => {
    const [queries, keys, values] = [head(0, h), head(1, h), head(2, h)];
    return queries.map((query) => {
      const scores = keys.map((key) => Math.exp(dot(query, key) / Math.sqrt(headDim)));
      const total = scores.reduce((sum, score) => sum + score, 0);
      return query.map((_, j) => scores.reduce((sum, score, i) => sum + score * (values[i]?.[j] ?? 0), 0) / total);
    });
  });
  return qkv.map((_, i) => heads.flatMap((rows) => rows[i] ?? []));
}

/** Pairs (2j, 2j + 1) as complex numbers; the class, behind the last patch, stays. */
function rotated(values: readonly number[], place: number, gridSize: number, theta: number): readonly number[] {
  if (place === gridSize ** 2) return values;
  const quarter = values.length / 4;
  return values.map((value, i) => {
    const j = Math.floor(i / 2);
    const at = j < quarter ? (place % gridSize) + 1 : Math.floor(place / gridSize) + 1;
    const angle = at * theta ** ((-2 * (j % quarter)) / (2 * quarter));
    const other = values[i % 2 === 0 ? i + 1 : i - 1] ?? 0;
    return value * Math.cos(angle) + (i % 2 === 0 ? -other : other) * Math.sin(angle);
  });
}

function add(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((value, j) => value + (b[i]?.[j] ?? 0)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function gelu(rows: Matrix): Matrix {
  return rows.map((row) => row.map((x) => (x / 2) * (1 + erf(x / Math.SQRT2))));
}

/** By its Maclaurin series, which is exact enough for the arguments that occur. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

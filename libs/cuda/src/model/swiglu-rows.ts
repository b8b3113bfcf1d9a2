import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { ModelKernels } from "../kernels/model-kernels.ts";
import type { Routing } from "../kernels/product.ts";
import type { DeviceMlp } from "./device-weights.ts";

/** What SwiGLU's rows are divided by where they are f16: they are the largest numbers of a model, and may then be up to a million. */
const HIDDEN_DIVISOR = 16;

/** Rows of one SwiGLU: what they are, x as activations, and where they go, y f32. */
export type SwigluStep = Readonly<{
  x: DeviceAddress;
  y: DeviceAddress;
  /** Room: in f32 what SwiGLU reads, and activations behind it. */
  gateUp: DeviceAddress;
  hidden: DeviceAddress;
  /** Each row goes to its expert. */
  routing?: Routing;
  /** What each row's input is multiplied by. */
  scales?: DeviceAddress;
  /** Rows from it on are the shared expert's; 0: none are. */
  fold?: number;
}>;

/** Enqueues SwiGLU of rows: of one block, or with a routing each row's expert's. */
export function swigluRows(
  kernels: Pick<ModelKernels, "gate" | "linear" | "swiglu">,
  { gateUp: matrix, down, width }: DeviceMlp,
  rowCount: number,
  { x, y, gateUp, hidden, routing, scales, fold = 0 }: SwigluStep,
): void {
  const routed = { ...(routing && { routing }), ...(scales !== undefined && { scales }) };
  if (matrix.format.kind === "tiles") {
    kernels.gate(rowCount, { linear: matrix, x, y: hidden, fold, factor: 1 / HIDDEN_DIVISOR, ...routed });
    kernels.linear(rowCount, { linear: down, x: hidden, y, fold, factor: HIDDEN_DIVISOR, ...routed });
    return;
  }
  kernels.linear(rowCount, { linear: matrix, x, y: gateUp, ...routed });
  kernels.swiglu(rowCount, { gateUp, out: hidden, width, ...routed });
  kernels.linear(rowCount, { linear: down, x: hidden, y, ...routed });
}

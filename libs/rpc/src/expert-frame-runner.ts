import {
  DroverError,
  type ErrorCode,
  type ExpertRunner,
  type TraceContext,
  type Tracer,
  toDroverError,
} from "@drover/core";
import { ActivationType } from "@drover/proto";
import { FLOAT_BYTES } from "./expert-frames.ts";

/** A frame as another process asks for it. */
export type AskedFrame = Readonly<{
  layer: number;
  activationType: number;
  experts: ArrayLike<number>;
  rowCounts: ArrayLike<number>;
  /** Bytes of its rows. */
  byteCount: number;
  /** Of the caller's span; undefined: it is not traced. */
  trace: TraceContext | undefined;
}>;

/** Rows, and where their answers go; both [rows, D]. */
export type FrameRows = Readonly<{ z_aD: Float32Array; y_aD: Float32Array }>;

/** Undefined: it is computed; else why it is not. */
type Fault = DroverError | undefined;

/** Computes one frame, under a span of its own where it says so, or says in the error table's codes why not. `rows` is called where it is computed. */
export function runFrame(
  runner: ExpertRunner,
  frame: AskedFrame,
  rows: () => FrameRows,
  tracer: Tracer,
): Fault | Promise<Fault> {
  if (frame.trace === undefined) return compute(runner, frame, rows);
  const span = tracer.join("experts", frame.trace, {
    kind: "server",
    attributes: {
      "drover.layer": frame.layer,
      "drover.experts": frame.experts.length,
      "drover.rows": sum(frame.rowCounts),
    },
  });
  const end = (fault: Fault) => {
    const code: ErrorCode | undefined = fault?.code;
    span?.end(code);
    return fault;
  };
  const running = compute(runner, frame, rows);
  return running instanceof Promise ? running.then(end) : end(running);
}

function compute(runner: ExpertRunner, frame: AskedFrame, rows: () => FrameRows): Fault | Promise<Fault> {
  const fault = check(runner, frame);
  if (fault !== undefined) return fault;
  const { z_aD, y_aD } = rows();
  const running = runner.run(frame.layer, frame.experts, frame.rowCounts, z_aD, y_aD);
  // A device that has failed ends its worker by itself.
  return running?.then(() => undefined, toDroverError);
}

function check(runner: ExpertRunner, frame: AskedFrame): Fault {
  const { layer, activationType, experts, rowCounts, byteCount } = frame;
  if (activationType !== ActivationType.F32) return new DroverError("invalid_argument", "this worker computes in f32");
  if (experts.length !== rowCounts.length || sum(rowCounts) * runner.hiddenSize * FLOAT_BYTES !== byteCount)
    return new DroverError("invalid_argument", "a frame's rows do not match its counts");
  for (let i = 0; i < experts.length; i++) {
    const expert = experts[i] as number;
    if (!runner.has(layer, expert))
      return new DroverError("not_found", `expert ${expert} of layer ${layer} is not loaded here`);
  }
  return undefined;
}

function sum(counts: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i] as number;
  return total;
}

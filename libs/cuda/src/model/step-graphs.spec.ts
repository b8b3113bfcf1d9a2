import { expect, test } from "vitest";
import type { CudaDevice } from "../driver/cuda-device.ts";
import { recordedHead, StepGraphs } from "./step-graphs.ts";
import type { Question } from "./step-heads.ts";
import type { StepRows } from "./step-rows.ts";
import type { TextProgram } from "./text-program.ts";

const graphs = new StepGraphs({} as CudaDevice, 1n as never, {} as TextProgram, { rowsMax: 512, vocabSize: 1000 });

/** The graph of a step of so many rows, of which so many are wanted. */
function graphOf(rowCount: number, wantedCount: number, isLinked: boolean, seen = 300) {
  const rows = { rowCount, seen: { global: seen, local: seen } } as StepRows;
  return graphs.shapeOfStep(rows, { wanted: new Int32Array(wantedCount), topCount: 1 } as Question, isLinked);
}

test("rows that decode are a graph with its head, and so are none of a prompt where no row goes to another card", () => {
  const shape = graphOf(3, 3, false);
  expect(shape).toMatchObject({ rowCount: 4, topCount: 1, seen: { global: 512, local: 512 } });
  expect(shape && recordedHead(3, shape)).toEqual({ first: 0, count: 3, topCount: 1 });
  expect(graphOf(64, 64, false)?.rowCount).toBe(64);
  expect(graphOf(65, 65, false)).toBeUndefined();
  expect(graphOf(40, 9, false)).toBeUndefined();
});

test("where rows may go to other cards, rows of prompts and more of streams are graphs too, without their head, unless they see very many positions", () => {
  const shape = graphOf(70, 33, true);
  expect(shape).toMatchObject({ rowCount: 96, topCount: undefined });
  expect(shape && recordedHead(70, shape)).toBeUndefined();
  expect(graphOf(200, 200, true)?.rowCount).toBe(256);
  expect(graphOf(257, 20, true)).toBeUndefined();
  expect(graphOf(70, 33, true, 9000)).toBeUndefined();
  expect(graphOf(33, 33, true, 9000)?.topCount).toBe(1);
});

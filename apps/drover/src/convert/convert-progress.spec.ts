import { expect, test } from "vitest";
import { ProgressView, progressText } from "./convert-progress.ts";

const gib = 2 ** 30;
const half = { file: "layers/001/shared.weights", doneBytes: 4 * gib, totalBytes: 8 * gib, keptBytes: 2 * gib };

test("the estimate rests on what this run has written, not on what an earlier one left", () => {
  expect(progressText(half, 60_000)).toBe(
    "[############------------]  50%  4.00 of 8.00 GiB, 120 s left, layers/001/shared.weights".replace(
      "120 s",
      "2 min",
    ),
  );
  expect(progressText({ ...half, doneBytes: 2 * gib }, 1000)).toBe(
    "[######------------------]  25%  2.00 of 8.00 GiB, layers/001/shared.weights",
  );
  expect(progressText({ ...half, file: null, doneBytes: 8 * gib }, 90_000)).toMatch(
    /100% {2}8.00 of 8.00 GiB, done in 90 s$/,
  );
  expect(progressText({ file: null, doneBytes: 0, totalBytes: 0, keptBytes: 0 }, 0)).toMatch(/100%/);
});

test("a terminal has one line that is written over and never wraps; elsewhere a line comes now and then, and at the end", () => {
  const shown = (isTTY: boolean) => {
    let nowMs = 0;
    let text = "";
    const view = new ProgressView({ isTTY, columns: 40, write: (more) => (text += more) }, () => nowMs);
    for (; nowMs < 12_000; nowMs += 1000) view.show(half);
    view.show({ ...half, file: null, doneBytes: 8 * gib });
    view.end();
    return text;
  };
  expect(shown(false).split("\n")).toHaveLength(4);
  const lines = shown(true).split("\r").slice(1);
  expect(lines).toHaveLength(13);
  for (const line of lines) expect(line.trimEnd().replace("\x1b[K", "").length).toBeLessThan(40);
  expect(shown(true).endsWith("\n")).toBe(true);
});

import { expect, test } from "vitest";
import { TokenHistory } from "./token-history.ts";

test("a history that is asked early goes on counting", () => {
  const history = new TokenHistory([5, 6, 5]);
  expect([...history.seen()]).toEqual([5, 6]);
  history.append(7);
  history.append(6);
  history.append(7);
  expect([...history.seen()]).toEqual([5, 6, 7]);
  expect([...history.output()]).toEqual([
    [7, 2],
    [6, 1],
  ]);
});

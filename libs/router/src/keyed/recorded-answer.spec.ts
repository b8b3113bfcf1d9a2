import { neverAborted } from "@drover/core";
import { expect, it } from "vitest";
import { KEYED_ANSWER_BYTES_MAX, KEYED_UNREAD_BYTES_MAX } from "../limits.ts";
import { RecordedAnswer } from "./recorded-answer.ts";

async function all(answer: RecordedAnswer, first = 0): Promise<string[]> {
  const parts: string[] = [];
  for await (const part of answer.read(first, neverAborted)) parts.push(part);
  return parts;
}

it("every reader gets all parts behind where it begins, in order, whenever it comes", async () => {
  const answer = new RecordedAnswer();
  answer.push("a");
  const [early, later] = [all(answer), all(answer, 2)];
  for (const part of ["b", "c", "d"]) answer.push(part);
  answer.end();
  expect(await early).toEqual(["a", "b", "c", "d"]);
  expect(await later).toEqual(["c", "d"]);
  expect(await all(answer, 4)).toEqual([]);
  expect(answer.whole).toEqual(["a", "b", "c", "d"]);
});

it("readers end with its fault behind what there is, and one who leaves with its own reason", async () => {
  const answer = new RecordedAnswer();
  const leaving = new AbortController();
  const left = answer.read(0, leaving.signal).next();
  leaving.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  expect(answer.readerCount).toBe(0);
  answer.push("a");
  const reading = answer.read(0, neverAborted);
  expect((await reading.next()).value).toBe("a");
  answer.end(new Error("lost"));
  await expect(reading.next()).rejects.toThrow("lost");
});

it("an answer beyond its bytes is read whole by who reads it, and is not kept", async () => {
  const answer = new RecordedAnswer();
  const part = "x".repeat(KEYED_ANSWER_BYTES_MAX / 4);
  const reading = answer.read(0, neverAborted);
  let count = 0;
  for (let time = 0; time < 10; time++) {
    answer.push(part);
    if ((await reading.next()).value === part) count++;
  }
  expect(count).toBe(10);
  expect(answer.whole).toBeUndefined();
});

it("a whole answer, which comes as one part, reaches who waits for it, however long it is", async () => {
  const answer = new RecordedAnswer();
  const part = "x".repeat(KEYED_UNREAD_BYTES_MAX + 1);
  const reading = all(answer);
  await Promise.resolve();
  answer.push(part);
  answer.end();
  expect((await reading).map(({ length }) => length)).toEqual([part.length]);
});

it("a reader who takes nothing is cut off, and holds no more than its bound; others get all", async () => {
  const answer = new RecordedAnswer();
  const part = "x".repeat(KEYED_ANSWER_BYTES_MAX / 4);
  const [slow, quick] = [answer.read(0, neverAborted), answer.read(0, neverAborted)];
  answer.push(part);
  await slow.next();
  let count = (await quick.next()).value === part ? 1 : 0;
  for (let time = 0; time < 20; time++) {
    answer.push(part);
    if ((await quick.next()).value === part) count++;
    expect(answer.heldByteCount).toBeLessThanOrEqual(KEYED_UNREAD_BYTES_MAX);
  }
  expect(count).toBe(21);
  await expect(slow.next()).rejects.toMatchObject({ code: "cancelled" });
  answer.end();
  expect((await quick.next()).done).toBe(true);
});

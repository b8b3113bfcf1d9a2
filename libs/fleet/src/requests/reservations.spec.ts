import { requestId, workerId } from "@drover/core";
import { describe, expect, it } from "vitest";
import { RESERVATION_SLACK_MS } from "../limits.ts";
import { Reservations } from "./reservations.ts";

const a = workerId("a");
const one = requestId("one");
const two = requestId("two");

describe("Reservations", () => {
  it("bytes and milliseconds count from the decision until a status that must show them", () => {
    const reservations = new Reservations();
    reservations.reserve(a, one, { kvBytes: 100, promptMs: 7 });
    reservations.reserve(a, two, { kvBytes: 50, promptMs: 3 });
    reservations.observe(a, 1000);
    expect(reservations.total(a)).toEqual({ bytes: 150, count: 2, promptMs: [7, 3] });
    reservations.accept(a, one, 1000);
    reservations.observe(a, 1000 + RESERVATION_SLACK_MS - 1);
    expect(reservations.total(a)).toEqual({ bytes: 150, count: 2, promptMs: [7, 3] });
    reservations.observe(a, 1000 + RESERVATION_SLACK_MS);
    expect(reservations.total(a)).toEqual({ bytes: 50, count: 1, promptMs: [3] });
  });

  it("a refusal and a lost worker give the bytes back at once", () => {
    const reservations = new Reservations();
    reservations.reserve(a, one, { kvBytes: 100, promptMs: 7 });
    reservations.reserve(a, two, { kvBytes: 50, promptMs: 3 });
    reservations.release(a, one);
    expect(reservations.total(a)).toEqual({ bytes: 50, count: 1, promptMs: [3] });
    reservations.forget(a);
    expect(reservations.total(a)).toEqual({ bytes: 0, count: 0, promptMs: [] });
  });
});

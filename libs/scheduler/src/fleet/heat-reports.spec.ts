import { modelId, workerId } from "@drover/core";
import type { Member } from "@drover/fleet";
import { expect, it } from "vitest";
import { HeatReports } from "./heat-reports.ts";

const member = (incarnation: string): Member => ({
  session: 1,
  profile: {
    workerId: workerId("a"),
    incarnation,
    modelId: modelId("nano"),
    roles: ["attention"],
    address: "a:1",
    adminAddress: "",
  },
  joinedAtMs: 0,
  heardAtMs: 0,
  suspected: false,
  frozen: false,
  leaving: false,
  status: undefined,
  loaded: undefined,
});
const rows = (...counts: number[]) => new Map([[3, counts]]);

it("heat is what a worker has counted since it last told, in one life", () => {
  const reports = new HeatReports();
  expect(reports.news(member("1"), rows(5, 7))).toEqual(new Map());
  expect(reports.news(member("1"), rows(6, 7, 2))).toEqual(rows(1, 0, 2));
  expect(reports.news(member("2"), rows(1))).toEqual(new Map());
  expect(reports.news(member("2"), rows(4))).toEqual(rows(3));
  reports.forget(workerId("a"));
  expect(reports.news(member("2"), rows(9))).toEqual(new Map());
});

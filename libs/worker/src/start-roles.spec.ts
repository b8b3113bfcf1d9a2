import { WORKER_ROLES } from "@drover/core";
import { expect, test } from "vitest";
import type { RoleContext } from "./role-context.ts";
import { type RoleStarter, startersOf, startRoles } from "./start-roles.ts";
import { FakeRole } from "./testing/fake-role.ts";

function scene() {
  const events: string[] = [];
  const ended = new AbortController();
  const resources = new AsyncDisposableStack();
  const starter =
    (name: "experts" | "attention"): RoleStarter =>
    async (_context, before) => {
      events.push(`${name} starts after ${before.length}`);
      return new FakeRole(name, events, ended.signal);
    };
  // Fake roles are made of nothing else.
  const context = { options: { resources } } as unknown as RoleContext;
  return { events, resources, context, starter };
}

test("roles are started one after the other, know those before them, and are disposed once in reverse order", async () => {
  const { events, resources, context, starter } = scene();
  const roles = await startRoles(context, [starter("experts"), starter("attention")]);
  expect(roles.map(({ name }) => name)).toEqual(["experts", "attention"]);
  await resources.disposeAsync();
  expect(events).toEqual([
    "experts starts after 0",
    "attention starts after 1",
    "attention is disposed",
    "experts is disposed",
  ]);
});

test("a role whose later neighbour fails to start is disposed once", async () => {
  const { events, resources, context, starter } = scene();
  const failing: RoleStarter = async () => {
    throw new Error("no memory");
  };
  await expect(startRoles(context, [starter("experts"), failing])).rejects.toThrow("no memory");
  await resources.disposeAsync();
  expect(events).toEqual(["experts starts after 0", "experts is disposed"]);
});

test("each role of a worker has one starter, and those that others use come first", () => {
  expect(startersOf(WORKER_ROLES)).toHaveLength(WORKER_ROLES.length);
  expect(startersOf(["attention", "experts"])).toEqual([...startersOf(["experts"]), ...startersOf(["attention"])]);
});

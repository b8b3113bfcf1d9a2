import { hostname } from "node:os";
import { expect, test } from "vitest";
import { advertisedHost } from "./address-flags.ts";

test("peers dial what is advertised, else what is listened on, and never a wildcard", () => {
  expect(advertisedHost({ advertise: "pod-0.workers", listen: "0.0.0.0" })).toBe("pod-0.workers");
  expect(advertisedHost({ listen: "10.1.2.3" })).toBe("10.1.2.3");
  for (const listen of ["0.0.0.0", "::"]) expect(advertisedHost({ listen })).toBe(hostname());
});

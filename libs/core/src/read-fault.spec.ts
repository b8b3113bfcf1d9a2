import { expect, test } from "vitest";
import { readFault } from "./read-fault.ts";

test("what the file system says becomes a reason, and what is not known of stays its code", () => {
  const said = (code: string) => readFault(Object.assign(new Error("open"), { code }));
  expect(said("EACCES")).toMatch(/^this user may not read it; chmod a\+r gives the right/);
  expect([said("EIO"), said("ELOOP"), said("EUNKNOWN")]).toEqual([
    "its disk reports an error",
    "its links lead in a circle",
    "EUNKNOWN",
  ]);
});

import { appendFileSync, readFileSync } from "node:fs";
import { afterAll, expect } from "vitest";
import type { CostLine } from "./cost-table.ts";

/** The kernel counts in hundredths of a second, whatever its own tick is. */
const TICKS_A_SECOND = 100;

/** Runs in each process of the tests: a spec's last act is to write down what its process and those that this has waited for have used. */
afterAll(() => {
  const file = process.env.DROVER_TEST_COSTS;
  if (file === undefined) return;
  // Its name, in parentheses, may have any character in it.
  const [, fields = ""] = readFileSync("/proc/self/stat", "utf8").split(/\) (?!.*\) )/);
  // utime, stime, and of children cutime, cstime: fields 14 to 17 of proc(5), whose third one is the first here.
  const [user, system, ofChildren, systemOfChildren] = fields.split(" ").slice(11, 15).map(Number);
  const own = (Number(user) + Number(system)) / TICKS_A_SECOND;
  const children = (Number(ofChildren) + Number(systemOfChildren)) / TICKS_A_SECOND;
  const line: CostLine = { pid: process.pid, spec: expect.getState().testPath ?? "", own, children };
  appendFileSync(file, `${JSON.stringify(line)}\n`);
});

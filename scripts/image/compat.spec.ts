import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const COMPAT = fileURLToPath(new URL("compat.js", import.meta.url));

/** What a script prints under a Node from which everything was taken that Node 20 lacks, and once more under Node as it is. */
function onBoth(script: string): unknown {
  const old = `for (const [holder, name] of [[Promise, "withResolvers"], [Map, "groupBy"], [Object, "groupBy"], [Array, "fromAsync"],
    [globalThis, "SuppressedError"], [globalThis, "AsyncDisposableStack"]]) delete holder[name];`;
  const [before, now] = [old, ""].map((prelude) => {
    const code = `${prelude}\nawait import(${JSON.stringify(COMPAT)});\n${script}`;
    return execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  });
  expect(before).toBe(now);
  return JSON.parse(before ?? "");
}

test("an old Node settles, groups and collects as a new one does", () => {
  const script = `const { promise, resolve } = Promise.withResolvers();
    resolve(1);
    const source = async function* () { yield 1; yield 2; };
    console.log(JSON.stringify([await promise, [...Map.groupBy([1, 2, 3], (x) => x % 2)], Object.groupBy("abca", (x) => x),
      await Array.fromAsync(source(), (x) => x * 2), await Array.fromAsync([Promise.resolve(3)])]));`;
  expect(onBoth(script)).toEqual([
    1,
    [
      [1, [1, 3]],
      [0, [2]],
    ],
    { a: ["a", "a"], b: ["b"], c: ["c"] },
    [2, 4],
    [3],
  ]);
});

test("an old Node ends resources last first, once, also those that moved and those that fail", () => {
  const script = `const ended = [];
    const stack = new AsyncDisposableStack();
    stack.use({ [Symbol.dispose]: () => ended.push("a") });
    stack.use(undefined);
    stack.adopt("b", async (value) => ended.push(value));
    stack.defer(() => { throw new Error("first"); });
    stack.defer(() => { throw new Error("second"); });
    const moved = stack.move();
    await stack.disposeAsync();
    const before = [...ended, stack.disposed, moved.disposed];
    const failure = await moved.disposeAsync().then(() => "none", (error) => [error.name, error.error.message, error.suppressed.message]);
    await moved.disposeAsync();
    let refused = "no";
    try { moved.defer(() => {}); } catch (error) { refused = error.name; }
    console.log(JSON.stringify([before, ended, failure, refused]));`;
  expect(onBoth(script)).toEqual([[true, false], ["b", "a"], ["SuppressedError", "first", "second"], "ReferenceError"]);
});

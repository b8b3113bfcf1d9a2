import { expect, test } from "vitest";
import type { Package } from "./closure.ts";
import { layOut } from "./layout.ts";

const pack = (name: string, version: string, dependencies: Package[] = []) => ({
  folder: `/store/${name}@${version}`,
  manifest: { name, version },
  dependencies,
});

const placed = (roots: readonly Package[]) =>
  Object.fromEntries([...layOut(roots)].map(([folder, { manifest }]) => [folder, manifest.version]));

test("one version of a package lies where everybody finds it", () => {
  const shared = pack("shared", "1");
  expect(placed([pack("a", "1", [shared]), pack("@s/b", "2", [shared])])).toEqual({
    "node_modules/a": "1",
    "node_modules/@s/b": "2",
    "node_modules/shared": "1",
  });
});

test("another version lies below who needs it, and what that one needs is found from there", () => {
  const leaf = pack("leaf", "2");
  const old = pack("shared", "1", [leaf]);
  const roots = [pack("shared", "2"), pack("leaf", "1"), pack("a", "1", [old])];
  expect(placed(roots)).toEqual({
    "node_modules/shared": "2",
    "node_modules/leaf": "1",
    "node_modules/a": "1",
    "node_modules/a/node_modules/shared": "1",
    "node_modules/a/node_modules/shared/node_modules/leaf": "2",
  });
});

test("packages that need each other are laid out once", () => {
  const dependencies: Package[] = [];
  const a = pack("a", "1", dependencies);
  dependencies.push(pack("b", "1", [a]));
  expect(Object.keys(placed([a]))).toEqual(["node_modules/a", "node_modules/b"]);
});

test("what only an installation needs stays behind", () => {
  const runtime = pack("onnxruntime-node", "1", [pack("adm-zip", "1"), pack("onnxruntime-common", "1")]);
  expect(Object.keys(placed([runtime]))).toEqual(["node_modules/onnxruntime-node", "node_modules/onnxruntime-common"]);
});

import type { Bed } from "./bed.ts";

/** Objects that come and go by themselves. */
const RESTLESS =
  /^(events|events\.events\.k8s\.io|leases\.coordination\.k8s\.io|componentstatuses)$|\.metrics\.k8s\.io$/;

/** Every object of the whole cluster, as `kind namespace/name`. */
export async function allObjects(bed: Bed): Promise<ReadonlySet<string>> {
  const kinds = await bed.kubectl("api-resources", "--verbs=list", "--output=name");
  const wanted = kinds
    .trim()
    .split("\n")
    .filter((kind) => !RESTLESS.test(kind));
  const template = '{range .items[*]}{.kind}{" "}{.metadata.namespace}{"/"}{.metadata.name}{"\\n"}{end}';
  const output = await bed.kubectl("get", wanted.join(","), "--all-namespaces", "-o", `jsonpath=${template}`);
  return new Set(output.trim().split("\n"));
}

/** Undefined when nothing is there that was not there before, else its names. */
export async function leftOver(bed: Bed, before: ReadonlySet<string>): Promise<string | undefined> {
  const left = [...(await allObjects(bed))].filter((name) => !before.has(name));
  return left.length === 0 ? undefined : `left over: ${left.join(", ")}`;
}

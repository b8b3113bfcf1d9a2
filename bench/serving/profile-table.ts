/** A profile of V8, as `Profiler.stop` gives it: a tree of calls, and which node ran at each sample. */
export type CpuProfile = Readonly<{
  nodes: readonly Readonly<{
    id: number;
    callFrame: Readonly<{ functionName: string; url: string; lineNumber: number }>;
    children?: readonly number[];
  }>[];
  samples: readonly number[];
  /** Microseconds from each sample to the one before. */
  timeDeltas: readonly number[];
}>;

/** Where time went: by the library or package whose code ran, or was called from where the runtime's own code ran, and by function. */
export type Spent = Readonly<{ us: number; library: string; function: string }>;

/** What is no work of the process: it waits, or begins to be profiled. */
const NO_WORK = new Set(["(idle)", "post node:inspector:115"]);

/**
 * The self time of every function, longest first, without what is no work. The runtime's own code counts for whom it works: the nearest caller
 * outside of it names the library.
 */
export function spentIn({ nodes, samples, timeDeltas }: CpuProfile): readonly Spent[] {
  const libraries = librariesOf(nodes);
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const found = new Map<string, { us: number; library: string; function: string }>();
  for (const [at, id] of samples.entries()) {
    const frame = frames.get(id);
    const us = timeDeltas[at];
    if (frame === undefined || us === undefined) continue;
    const library = libraries.get(id) ?? "node";
    const where = frame.url === "" ? "" : ` ${frame.url.replace(/^.*\//, "")}:${frame.lineNumber + 1}`;
    const name = `${frame.functionName === "" ? "(anonymous)" : frame.functionName}${where}`;
    const key = `${library}\0${name}`;
    const spent = found.get(key);
    if (spent === undefined) found.set(key, { us, library, function: name });
    else spent.us += us;
  }
  return [...found.values()].filter(({ function: name }) => !NO_WORK.has(name)).sort((a, b) => b.us - a.us);
}

function librariesOf(nodes: CpuProfile["nodes"]): ReadonlyMap<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const libraries = new Map<number, string>();
  const [root] = nodes;
  const waiting: [number, string][] = root === undefined ? [] : [[root.id, "node"]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [id, above] = next;
    const node = byId.get(id);
    if (node === undefined) continue;
    const library = libraryOf(node.callFrame, above);
    libraries.set(id, library);
    for (const child of node.children ?? []) waiting.push([child, library]);
  }
  return libraries;
}

function libraryOf({ url, functionName }: CpuProfile["nodes"][number]["callFrame"], above: string): string {
  if (functionName === "(idle)" || functionName === "(garbage collector)" || functionName === "(program)")
    return functionName;
  const packaged = [...url.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].at(-1)?.[1];
  if (packaged !== undefined && packaged !== ".pnpm") return packaged;
  const own = /\/((?:libs|apps)\/[^/]+)\//.exec(url)?.[1];
  return own ?? above;
}

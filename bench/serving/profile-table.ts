import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A profile of V8, as `Profiler.stop` gives it: a tree of calls, and which node ran at each sample. */
type CpuProfile = Readonly<{
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
type Spent = Readonly<{ us: number; library: string; function: string }>;

/** What is no work of the process: it waits, or begins to be profiled. */
const NO_WORK = new Set(["(idle)", "post node:inspector:115"]);

/**
 * The self time of every function, longest first, without what is no work. The runtime's own code counts for whom it works: the nearest caller
 * outside of it names the library.
 */
function spentIn({ nodes, samples, timeDeltas }: CpuProfile): readonly Spent[] {
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

/**
 * Prints the profile that `profile-recorder.ts` has left of a process, folded by library and function, in microseconds of one of what is counted (`noun`), of
 * which its main thread took `us` each. Samples are of time, and others may have had the cores meanwhile: they say how that is shared out.
 */
export function tellProfile(
  folder: string,
  pid: number,
  { name, us, noun, functions }: Readonly<{ name: string; us: number; noun: string; functions: number }>,
): void {
  const spent = spentIn(JSON.parse(readFileSync(join(folder, `${pid}.cpuprofile`), "utf8")) as CpuProfile);
  const whole = spent.reduce((sum, one) => sum + one.us, 0);
  const inUs = (part: number) => ((part / whole) * us).toFixed(1);
  const byLibrary = Map.groupBy(spent, ({ library }) => library);
  const libraries = [...byLibrary].map(([library, of]) => [library, of.reduce((sum, one) => sum + one.us, 0)] as const);
  const pauses = JSON.parse(readFileSync(join(folder, `${pid}.gc`), "utf8")) as number[];
  const pausedMs = pauses.reduce((sum, ms) => sum + ms, 0);
  console.log(
    `\n${name}: ${us.toFixed(1)} us a ${noun} on its main thread; ${pauses.length} pauses for garbage, ${pausedMs.toFixed(0)} ms in all, ${Math.max(0, ...pauses).toFixed(1)} ms the longest`,
  );
  console.log(
    libraries
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, 24)
      .map(([library, of]) => `${library} ${inUs(of)}`)
      .join(", "),
  );
  console.log(`| us a ${noun} | library | function |\n|---|---|---|`);
  for (const { library, us: of, function: called } of spent.slice(0, functions))
    console.log(`| ${inUs(of)} | ${library} | ${called} |`);
}

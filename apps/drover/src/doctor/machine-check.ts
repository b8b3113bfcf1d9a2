import { listenBriefly } from "../brief-listener.ts";
import { gib } from "../top/columns.ts";
import { type Finding, Findings } from "./finding.ts";
import { OPEN_FILES_MIN, TMP_BYTES_MIN } from "./limits.ts";
import { type MachineFacts, readMachine } from "./machine-facts.ts";

const GIB = 2 ** 30;
const NODE_MAJOR_MIN = 20;

export type MachineNeeds = Readonly<{
  /** Ports that should be free here. */
  ports: readonly number[];
  /** What processes on this machine are to hold, where it is known. */
  neededBytes: number | undefined;
  /** Loads the arithmetic's native library; returns its version. */
  loadRuntime: () => Promise<string>;
}>;

/** Looks at this machine, or this container. */
export async function checkMachine(needs: MachineNeeds): Promise<readonly Finding[]> {
  const findings = new Findings("machine");
  judgeMachine(await readMachine(), needs.neededBytes, findings);
  try {
    findings.ok("ONNX Runtime", await needs.loadRuntime());
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    findings.fail(
      "ONNX Runtime",
      `cannot be loaded: ${reason}`,
      "Install the packages on this machine: its library is of a platform and a libc.",
    );
  }
  for (const port of needs.ports) {
    if (await isFree(port)) findings.ok("port", `${port} is free`);
    else findings.fail("port", `${port} is taken`, `See who has it: ss -ltnp 'sport = :${port}'.`);
  }
  return findings.all;
}

export function judgeMachine(facts: MachineFacts, neededBytes: number | undefined, findings: Findings): void {
  const { nodeVersion, openFilesMax, threadsMax, tmpBytesFree, tmpDirectory } = facts;
  if (Number(nodeVersion.split(".")[0]) >= NODE_MAJOR_MIN) findings.ok("Node", nodeVersion);
  else findings.fail("Node", nodeVersion, `Use Node ${NODE_MAJOR_MIN} or newer.`);
  judgeMemory(facts, neededBytes, findings);
  judgeCpus(facts, findings);
  if (openFilesMax === undefined) findings.warn("open files", "not known here", "See ulimit -n.");
  else if (openFilesMax >= OPEN_FILES_MIN) findings.ok("open files", `${openFilesMax}`);
  else
    findings.warn(
      "open files",
      `${openFilesMax} at most`,
      `Raise it to ${OPEN_FILES_MIN} or more: ulimit -n, LimitNOFILE.`,
    );
  if (threadsMax !== undefined && threadsMax < 256)
    findings.warn("threads", `${threadsMax} at most`, "Raise it: ulimit -u, TasksMax, the pod's pid limit.");
  if (tmpBytesFree === undefined)
    findings.fail("temporary folder", `${tmpDirectory} cannot be read`, "Set TMPDIR to a folder that is there.");
  else if (tmpBytesFree >= TMP_BYTES_MIN)
    findings.ok("temporary folder", `${(tmpBytesFree / GIB).toFixed(1)} GiB free in ${tmpDirectory}`);
  else
    findings.warn(
      "temporary folder",
      `${Math.round(tmpBytesFree / 2 ** 20)} MiB free in ${tmpDirectory}`,
      "Free some, or set TMPDIR.",
    );
}

function judgeMemory(
  { memoryBytes, memoryLimitBytes }: MachineFacts,
  needed: number | undefined,
  findings: Findings,
): void {
  const most = memoryLimitBytes ?? memoryBytes;
  const found = `${gib(most)} GiB${memoryLimitBytes === undefined ? "" : " (the control group's limit)"}`;
  if (needed === undefined) findings.ok("memory", found);
  else if (needed <= most) findings.ok("memory", `${found}; the model's weights are ${gib(needed)} GiB`);
  else
    findings.warn(
      "memory",
      `${found}, and the model's weights are ${gib(needed)} GiB`,
      "Spread the experts over more machines, or convert the checkpoint to int4: drover plan says what fits.",
    );
}

function judgeCpus({ cpuLimit, cpuCount }: MachineFacts, findings: Findings): void {
  const most = Math.min(cpuLimit ?? cpuCount, cpuCount);
  if (most >= 1) findings.ok("CPUs", cpuLimit === undefined ? `${cpuCount}` : `${cpuLimit} of ${cpuCount}`);
  else
    findings.warn(
      "CPUs",
      `${most} of one`,
      "Give it a whole one: steps would wait for the next period of the scheduler.",
    );
}

const isFree = (port: number): Promise<boolean> => listenBriefly({ port }, () => true).catch(() => false);

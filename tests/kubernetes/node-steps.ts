import { answeredText, ask } from "./ask.ts";
import type { Bed, BedPlace } from "./bed.ts";
import { type Blow, heals, leadingScheduler } from "./healing.ts";
import { buildDrover, imagesOf, loadImages } from "./images.ts";
import { GONE_MS_MAX, READY_MS_MAX } from "./limits.ts";
import { allObjects, leftOver } from "./objects.ts";
import { untilNothing } from "./poll.ts";
import type { Steps } from "./steps.ts";
import { missingPods, podsOf } from "./workloads.ts";

export type Paths = Readonly<{ root: string; manifest: string; chart: string; values: string; place: BedPlace }>;

const NAMESPACE = "default";
const RESTRICTED = "drover-restricted";
const BLOWS: readonly Blow[] = ["kill -9", "delete"];

/** Drover's image from the sources, and all images of the manifest in the node. */
export async function imageSteps(
  bed: Bed,
  steps: Steps,
  { root, manifest }: Paths,
  signal: AbortSignal,
): Promise<void> {
  const names = await imagesOf(manifest);
  const drover = names.find((name) => /(^|\/)drover:/.test(name));
  if (drover === undefined) throw new Error(`${manifest} names no image of Drover`);
  await steps.run("image built from deploy/Dockerfile on a base with only Node", () =>
    buildDrover(root, drover, signal),
  );
  await steps.run("images loaded under the manifest's names", () => loadImages(bed, names, signal));
}

/** The manifest alone: applied, asked, struck, and deleted again. */
export async function manifestSteps(bed: Bed, steps: Steps, { manifest }: Paths, signal: AbortSignal): Promise<void> {
  const before = await allObjects(bed);
  await steps.run("kubectl apply -f deploy/kubernetes.yaml: every pod ready", async () => {
    await bed.kubectl("apply", "-f", manifest);
    await untilNothing(() => missingPods(bed, NAMESPACE), { withinMs: READY_MS_MAX, signal });
    return `${(await podsOf(bed, NAMESPACE)).length} pods`;
  });
  await steps.run("a prompt through the Service", async () => answeredText(await ask(bed, NAMESPACE)));
  for (const blow of BLOWS) {
    for (const component of ["worker-attention", "worker-experts", "router", "redis"]) {
      await steps.run(`${blow}: ${component} heals`, () => heals(bed, NAMESPACE, component, blow, signal));
    }
    await steps.run(`${blow}: the scheduler that leads heals`, () =>
      heals(bed, NAMESPACE, "scheduler", blow, signal, (pods) => leadingScheduler(bed, NAMESPACE, pods)),
    );
  }
  await steps.run("kubectl delete -f: nothing left", async () => {
    await bed.kubectl("delete", "-f", manifest, "--wait=false");
    await untilNothing(() => leftOver(bed, before), { withinMs: GONE_MS_MAX, signal });
    return undefined;
  });
}

/** The chart's life, in a namespace that enforces the Pod Security standard `restricted`. */
export async function helmSteps(bed: Bed, steps: Steps, { chart, values }: Paths, signal: AbortSignal): Promise<void> {
  const enforce = ["enforce", "warn"].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);
  await bed.kubectl("create", "namespace", RESTRICTED);
  await bed.kubectl("label", "namespace", RESTRICTED, ...enforce);
  // The controllers put a certificate and an account into each new namespace.
  await untilNothing(
    async () =>
      (await bed.kubectl("-n", RESTRICTED, "get", "serviceaccounts,configmaps", "-o", "name")).trim().split("\n")
        .length < 2
        ? "not set up"
        : undefined,
    { withinMs: READY_MS_MAX, signal },
  );
  const before = await allObjects(bed);
  const helm = (...args: string[]) => bed.helm(...args, "-n", RESTRICTED);
  const wait = ["--wait", "--timeout", `${READY_MS_MAX / 1000}s`];
  const ready = async (replicas: number) => {
    await untilNothing(() => missingPods(bed, RESTRICTED), { withinMs: READY_MS_MAX, signal });
    const routers = await podsOf(bed, RESTRICTED, "router");
    if (routers.length !== replicas) throw new Error(`there are ${routers.length} routers, not ${replicas}`);
    return `${replicas} router${replicas === 1 ? "" : "s"}; ${answeredText(await ask(bed, RESTRICTED))}`;
  };
  await steps.run("helm install where Pod Security is restricted", async () => {
    await helm("install", "drover", chart, "-f", values, ...wait);
    return ready(1);
  });
  await steps.run("helm test", async () => {
    const said = await helm("test", "drover", "--timeout", `${READY_MS_MAX / 1000}s`);
    // A release without a test passes too.
    const succeeded = /^TEST SUITE: +drover-test-prompt$[\s\S]*^Phase: +Succeeded$/m.test(said);
    if (!succeeded) throw new Error(`it said ${said}`);
    return "drover-test-prompt succeeded";
  });
  await steps.run("helm upgrade to two routers", async () => {
    await helm("upgrade", "drover", chart, "-f", values, "--set", "router.replicas=2", ...wait);
    return ready(2);
  });
  await steps.run("helm rollback", async () => {
    await helm("rollback", "drover", "1", ...wait);
    return ready(1);
  });
  await steps.run("helm uninstall: nothing left", async () => {
    await helm("uninstall", "drover", ...wait);
    await untilNothing(() => leftOver(bed, before), { withinMs: GONE_MS_MAX, signal });
    return undefined;
  });
  await bed.kubectl("delete", "namespace", RESTRICTED);
}

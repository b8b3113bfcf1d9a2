import type { ModelConfig } from "@drover/checkpoint";
import { systemClock, type Tracer } from "@drover/core";
import { ExpertSessions, type ModelWeights } from "@drover/onnx";
import { expertService } from "@drover/rpc";
import type { Metrics } from "@drover/telemetry";
import { CountedExperts } from "./counted-experts.ts";
import { expertCountMax } from "./expert-memory.ts";
import { ExpertRelease } from "./expert-release.ts";

type ExpertsRoleOptions = Readonly<{ threads: number; expertMemory: number | undefined; tracer: Tracer }>;

/** Holds the routed experts that the scheduler's map gives this worker, and answers for them. */
export async function startExperts(
  config: ModelConfig,
  weights: ModelWeights,
  options: ExpertsRoleOptions,
  metrics: Metrics,
) {
  const sessions = new ExpertSessions(config, weights, { threads: options.threads });
  const counted = new CountedExperts(sessions, metrics);
  const release = new ExpertRelease();
  return {
    sessions,
    counted,
    release,
    service: expertService(
      counted,
      {
        streamOpened: () => release.streamOpened(),
        streamClosed: () => release.streamClosed(systemClock.monotonic()),
      },
      options.tracer,
    ),
    /** 0: no limit. */
    countMax: await expertCountMax(config, weights, options.expertMemory),
  };
}

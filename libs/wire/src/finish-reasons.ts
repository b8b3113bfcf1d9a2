import type { FinishReason } from "@drover/core";
import { FinishReason as WireFinish } from "@drover/proto";

/** Why a choice ends, as messages say it. */
export const FINISH_REASONS: Readonly<Record<FinishReason, WireFinish>> = {
  stop: WireFinish.STOP,
  length: WireFinish.LENGTH,
};

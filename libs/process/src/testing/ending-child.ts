import { neverAborted, systemClock } from "@drover/core";
import { attachEnding } from "../ending.ts";

/** A child process that would take an hour to end, and says when it was asked to. */
const hour = 3_600_000;
let looks = 0;
// A second passes from each signal to the next one, however soon it comes.
const clock = { ...systemClock, monotonic: () => 1000 * looks++ };
const ending = attachEnding({ drainDelay: hour, drainGrace: hour, parentGone: neverAborted, clock });
setInterval(() => undefined, 1000);
ending.asked.addEventListener("abort", () => process.send?.("asked"));
process.send?.("running");

import { assert } from "@drover/core";

/** A thread that dies of a failed assertion. */
assert(false, "a thread's assertion holds");

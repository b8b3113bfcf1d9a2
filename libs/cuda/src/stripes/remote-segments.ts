import type { SequenceStripes } from "@drover/sequences";

/** Segments of a sequence before `end`, which context workers have. */
export type RemoteSegments = Readonly<{ stripes: SequenceStripes; end: number }>;

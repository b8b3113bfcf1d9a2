// The store of a worker's sequences, and what it asks of the executor that holds their rows.

// Old rows of long sequences, which other workers keep.
export { askedSegments } from "./asked-segments.ts";
export type { StripeOptions } from "./context-stripes.ts";
// What an executor reads of a sequence: which rows there are, and in which extents.
export { type LayerPlace, layerPlaces } from "./layer-places.ts";
export { mergePartials } from "./merge-partials.ts";
export type { SequenceStorage } from "./sequence-storage.ts";
export { SequenceStripes } from "./sequence-stripes.ts";
export { StoredSequence, stored } from "./stored-sequence.ts";
export { StoredSequences, type StoredSequencesOptions } from "./stored-sequences.ts";
// Queries to those who keep old rows, and their answers merged in.
export { type AskedStripes, askStripes, mergeAnswers, type QuerySizes, type StripedRows } from "./striped-rows.ts";

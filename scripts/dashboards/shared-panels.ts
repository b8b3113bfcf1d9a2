import { figure } from "./panels.ts";

/** How many schedulers lead; on every dashboard the same. */
export const leaders = figure({
  title: "Leaders",
  about: "Schedulers that lead: exactly one should.",
  unit: "short",
  query: "sum(drover_scheduler_leader{$F})",
  base: "red",
  limits: [
    [1, "green"],
    [2, "orange"],
  ],
});

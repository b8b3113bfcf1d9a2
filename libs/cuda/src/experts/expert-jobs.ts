import { at } from "@drover/core";

/** Rows of one layer as somebody asks for them: `counts[i]` rows for `experts[i]`, one expert's behind another's. */
export type AskedRows = Readonly<{ experts: ArrayLike<number>; counts: ArrayLike<number> }>;

/** Where the rows of several calls stand when all of them are sorted by expert, and the jobs that they make. */
export type ExpertJobs = Readonly<{
  rowCount: number;
  /** Experts that have rows. */
  expertCount: number;
  /** Of each call, and each of its experts, the place of their first row. */
  places: readonly Int32Array[];
  /** Jobs of four numbers, as product kernels read them: the expert, its first place, how many, and nothing. */
  jobs: Int32Array;
}>;

/** Sorts the rows of calls by expert, rows of one expert in the order of the calls. `rowsOfJob`: the most rows of a job, of so many rows and experts. */
export function expertJobs(
  calls: readonly AskedRows[],
  rowsOfJob: (rowCount: number, expertCount: number) => number,
): ExpertJobs {
  const totals = new Map<number, number>();
  const each = (use: (call: number, i: number, expert: number, count: number) => void) => {
    for (const [call, { experts, counts }] of calls.entries())
      for (let i = 0; i < experts.length; i++) use(call, i, at(experts, i), at(counts, i));
  };
  each((_call, _i, expert, count) => totals.set(expert, (totals.get(expert) ?? 0) + count));
  const used = [...totals].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  const rowCount = used.reduce((sum, [, count]) => sum + count, 0);
  const most = rowsOfJob(rowCount, used.length);
  const jobs: number[] = [];
  const next = new Map<number, number>();
  let first = 0;
  for (const [expert, count] of used) {
    next.set(expert, first);
    for (let from = 0; from < count; from += most) jobs.push(expert, first + from, Math.min(most, count - from), 0);
    first += count;
  }
  const places = calls.map(({ experts }) => new Int32Array(experts.length));
  each((call, i, expert, count) => {
    const place = next.get(expert) ?? 0;
    at(places, call)[i] = place;
    next.set(expert, place + count);
  });
  return { rowCount, expertCount: used.length, places, jobs: Int32Array.from(jobs) };
}

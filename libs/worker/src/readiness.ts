/** What decides whether a worker can do its work; a part that it does not have is undefined. */
export type ReadinessFacts = Readonly<{
  /** Milliseconds since a scheduler last had it among its workers; infinite before the first time. */
  leaderlessMs: number;
  /** An operator has asked the worker to drain. */
  drainWanted: boolean;
  attention: Readonly<{ usable: boolean; calibrated: boolean }> | undefined;
  /** Whether all that the map assigns is loaded; undefined while no map has assigned anything. */
  experts: Readonly<{ settled: boolean | undefined }> | undefined;
}>;

/** A leader that is replaced is back within this time: until then its workers serve on. */
const LEADERLESS_MS_MAX = 10_000;

/** Why a worker whose weights are loaded is not ready; null when it is. Nothing here waits for another worker's readiness, only for its work. */
export function unreadyReason({ leaderlessMs, drainWanted, attention, experts }: ReadinessFacts): string | null {
  if (leaderlessMs === Number.POSITIVE_INFINITY) return "no scheduler has taken it among its workers yet";
  if (leaderlessMs > LEADERLESS_MS_MAX) return "no scheduler has it among its workers any more";
  if (drainWanted) return "it was asked to drain";
  if (experts?.settled === undefined && experts !== undefined) return "no expert map has been made yet";
  if (experts?.settled === false) return "the experts that the map assigns are being loaded";
  if (attention?.usable === false) return "not every expert has a holder that can be reached";
  if (attention?.calibrated === false) return "its steps are being measured";
  return null;
}

/** What a worker and its roles know of the link to the scheduler. */
export interface WorkerLink {
  /** Whether a scheduler has the worker among its own now. */
  readonly isJoined: boolean;
  /** Milliseconds since a scheduler last had the worker among its own; infinite before the first time. */
  leaderlessMs(nowMs: number): number;
  /** Reports the status now, for changes that placement should know of at once. Nothing while no stream stands: it begins with the status. */
  reportStatus(): void;
  /** Work was taken on: the status is looked at soon. Nothing while no stream stands, as above. */
  noteNews(): void;
  /** Reports which experts are loaded. Nothing while no stream stands, as above. */
  reportLoaded(): void;
  /** Tells the scheduler that the worker goes: no more placements. */
  leave(): void;
}

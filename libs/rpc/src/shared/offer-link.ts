import type { Clock, RowLink, RowLinks } from "@drover/core";
import type { SharedMemory, SharedSegment } from "@drover/shared-memory";
import type { RpcClient } from "../client.ts";
import { offerSegment } from "./offer-segment.ts";

/** The layout of segments that devices write and read by themselves; it changes with what these understand of each other (`link-layout.ts` of libs/cuda). */
export const LINK_LAYOUT = 100;

/**
 * Offers a worker a segment for rows that devices of both sides write and read by themselves. What comes back ends that. `onGone`: the worker is. Errors: as of `offerSegment`, and what the device says
 * that cannot use it.
 */
export async function offerLink(
  memory: SharedMemory,
  links: RowLinks,
  workerId: string,
  to: RpcClient,
  onGone: () => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<Disposable> {
  let offered: SharedSegment | undefined;
  const open = (segment: SharedSegment): RowLink => {
    offered = segment;
    return links.open(workerId, segment);
  };
  const kind = { layout: LINK_LAYOUT, byteCount: links.byteCount };
  const link = await offerSegment(memory, kind, to, open, clock, signal);
  const end = () => {
    offered?.[Symbol.dispose]();
    link[Symbol.dispose]();
  };
  offered?.listen(
    () => undefined,
    () => {
      link[Symbol.dispose]();
      onGone();
    },
  );
  link.begin();
  return { [Symbol.dispose]: end };
}

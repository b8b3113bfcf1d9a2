import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { RequestEvent } from "@drover/core";
import { StepEventsSchema } from "@drover/proto";
import { requestEventFromWire, requestEventToWire } from "./request-event.ts";
import { wireFault } from "./wire-fault.ts";

/** What workers have told, as bytes that are kept and read by other routers. */
export function stepToWire(events: readonly RequestEvent[]): Uint8Array {
  return toBinary(StepEventsSchema, create(StepEventsSchema, { events: events.map(requestEventToWire) }));
}

/** See {@link stepToWire}. Errors: `invalid_argument` for what this build cannot read, an event that only later builds know too: nothing may be passed over. */
export function stepFromWire(bytes: Uint8Array): RequestEvent[] {
  return fromBinary(StepEventsSchema, bytes).events.map((message) => {
    const event = requestEventFromWire(message);
    if (event === undefined) throw wireFault("events", "has one that this build does not know");
    return event;
  });
}

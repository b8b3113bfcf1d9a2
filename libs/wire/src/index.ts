// One file for each message that travels between Drover's processes. What is written is read back; what cannot be read is a
// DroverError that names the field.

// A request on its way in.
export { generationRequestFromWire, generationRequestToWire } from "./generation-request.ts";

// Its tokens on their way out: one stream between a router and an attention worker.
export { requestEventFromWire, requestEventToWire } from "./request-event.ts";
export { type RouterMessage, routerMessageFromWire, routerMessageToWire } from "./router-message.ts";
export { type WorkerMessage, workerMessageFromWire, workerMessageToWire } from "./worker-message.ts";

import { InterceptingCall, type Interceptor, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";

/**
 * Keeps calls from their handlers that were cancelled before: grpc-js tells a handler only of what is cancelled later, so that one which is
 * called too late would work for nobody to its end. For unary calls and streams of answers, whose handlers wait for the whole request.
 */
export const dropCancelledCalls: ServerInterceptor = (_method, call) => {
  let isCancelled = false;
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveHalfClose: (toHandler) => {
          if (!isCancelled) toHandler();
        },
        onCancel: () => {
          isCancelled = true;
        },
      }),
  });
};

/**
 * Cancels a call at its peer too when it is cancelled in the turn in which it was made: grpc-js 1.14 makes the call on the wire a moment later,
 * sends it all the same and never cancels it there, so it is cancelled once more in the next turn. Source: its `ResolvingCall.cancelWithStatus`.
 */
export const cancelOnTheWire: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    cancel: (next) => {
      next();
      setImmediate(next);
    },
  });

import type { ChannelOptions, ServerOptions } from "@grpc/grpc-js";
import { FLOW_CONTROL_WINDOW_BYTES, MESSAGE_BYTES_MAX, STREAMS_MAX } from "./limits.ts";

/** For every channel and server between Drover's processes. What is sent is bounded by its senders: frames of 256 KiB, one request. */
export const channelOptions: ChannelOptions = {
  "grpc.max_send_message_length": -1,
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  "grpc.enable_channelz": 0,
  "grpc.enable_retries": 0,
  "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  // A process that moves keeps its name and gets another address: half a minute with the old one would be an outage.
  "grpc.dns_min_time_between_resolutions_ms": 1000,
  // Nobody publishes gRPC settings in DNS, and no proxy stands between processes of one cluster.
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
};

/** For every server between Drover's processes. */
export const serverOptions: ServerOptions = { ...channelOptions, "grpc.max_concurrent_streams": STREAMS_MAX };

export * from "./gen/drover/internal/v1/cluster_pb.ts";
export * from "./gen/drover/internal/v1/context_pb.ts";
export * from "./gen/drover/internal/v1/expert_pb.ts";
export * from "./gen/drover/internal/v1/generation_pb.ts";
export * from "./gen/drover/internal/v1/queue_pb.ts";
export * from "./gen/drover/internal/v1/vision_pb.ts";
export * as onnx from "./gen/drover/onnx/v1/onnx_pb.ts";
export * as publicApi from "./gen/drover/v1/inference_pb.ts";
export * as inferApi from "./gen/inference/inference_service_pb.ts";

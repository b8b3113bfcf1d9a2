import { create, type DescMethod, type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import * as proto from "@drover/proto";
import { Client, credentials, type Metadata, type ServiceError, status } from "@grpc/grpc-js";

/** All services between Drover's processes, as the protos have them: one that is added is among them. */
export function internalServices(): readonly DescService[] {
  const isService = (value: unknown): value is DescService =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
  return Object.values(proto)
    .filter((value): value is DescService & typeof value => isService(value))
    .filter(({ typeName }) => typeName.startsWith("drover.internal."));
}

/** How a call ended: its status, and how many replies came before. */
export type Knock = Readonly<{ code: status; replies: number }>;

/** Calls a method once with an empty message, whatever its kind, as anybody with a socket can. */
export async function knock(address: string, method: DescMethod, metadata: Metadata): Promise<Knock> {
  const client = new Client(address, credentials.createInsecure());
  const path = `/${method.parent.typeName}/${method.name}`;
  const serialize = (message: Message) => Buffer.from(toBinary(method.input, message));
  const deserialize = (bytes: Buffer) => fromBinary(method.output, bytes);
  try {
    return await new Promise<Knock>((resolve) => {
      let replies = 0;
      // Whatever the method is: messages both ways carry a single one as well.
      const call = client.makeBidiStreamRequest(path, serialize, deserialize, metadata);
      call.on("data", () => replies++);
      call.on("error", (error: ServiceError) => resolve({ code: error.code, replies }));
      call.on("status", ({ code }: Readonly<{ code: status }>) => {
        if (code === status.OK) resolve({ code, replies });
      });
      call.write(create(method.input));
      call.end();
    });
  } finally {
    client.close();
  }
}

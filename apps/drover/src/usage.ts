/** The page of `drover --help`. */
export const USAGE = `Drover serves Llama 4 models from many machines.

Usage: drover COMMAND [flags]

Commands:
  up          Run a whole cluster on this machine
  chat        Talk to a cluster
  top         Watch a cluster: workers, KV, prefix hits, lanes, experts
  bench       Measure servers of OpenAI's API under load
  drain       Have a worker hand over its work before it is ended
  doctor      Say what is wrong with a machine, Redis, a cluster or a checkpoint, and what to do
  plan        Say what fits on which GPUs, from a checkpoint's headers
  convert     Write a checkpoint's weights quantized and packed, to be mapped
  tokenize    Turn texts and conversations into the tokens that a model would see
  keys        Make, list and revoke the keys of tenants
  secret      Make the secret by which a cluster's processes know each other
  certificates  Make the certificates by which a cluster's processes encrypt what they say
  router      Run one router: the HTTP and gRPC APIs
  scheduler   Run one scheduler: places requests, and with --queue scheduler holds the queue
  worker      Run one worker: attention, experts, vision, context

drover COMMAND --help shows a command's flags, drover --version the version.
`;

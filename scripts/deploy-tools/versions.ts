/** The oldest and the newest Kubernetes that the chart supports. */
export const KUBERNETES_VERSIONS = ["1.30", "1.37"] as const;

/** The package whose schemas are those of each Kubernetes, closed against unknown fields. */
export const SCHEMAS_PACKAGE = "kubernetes-validate==1.37.0";

/** Modules with the custom resources that the chart can make: `files` is a pattern below the module's folder. */
export const CRD_MODULES = [
  { module: "sigs.k8s.io/gateway-api@v1.6.3", files: "config/crd/standard/*_{http,grpc}routes.yaml" },
  {
    module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    files: "example/prometheus-operator-crd/*_{servicemonitors,podmonitors,prometheusrules}.yaml",
  },
] as const;

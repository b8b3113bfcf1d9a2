{{/* Names, labels and the parts that every pod shares. */}}
{{- define "drover.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "drover.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "drover.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "drover.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* (list . component) */}}
{{- define "drover.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "drover.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "drover.labels" -}}
{{- $root := index . 0 -}}
{{ include "drover.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "drover.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{/* A set of workers with the defaults of all sets: (list . set) as YAML. */}}
{{- define "drover.workerSet" -}}
{{- $root := index . 0 -}}
{{- mergeOverwrite (deepCopy $root.Values.workerDefaults) (deepCopy (index . 1)) | toYaml -}}
{{- end -}}

{{/* Every scheduler by its stable name. */}}
{{- define "drover.schedulers" -}}
{{- $name := include "drover.fullname" . -}}
{{- $addresses := list -}}
{{- range $i := until (int .Values.scheduler.replicas) -}}
{{- $addresses = append $addresses (printf "%s-scheduler-%d.%s-scheduler:50052" $name $i $name) -}}
{{- end -}}
{{- join "," $addresses -}}
{{- end -}}

{{/* The bundled Redis's password as the variable NAME: (list . NAME) */}}
{{- define "drover.redisPasswordEnv" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.redis.bundled.auth.existingSecret -}}
- name: {{ index $ 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $root.Values.redis.bundled.auth.key }}
{{ end -}}
{{- end -}}

{{/* The queue's URL in the environment: it may hold a password. */}}
{{- define "drover.queueEnv" -}}
{{- if .Values.redis.bundled.enabled -}}
{{- include "drover.redisPasswordEnv" (list . "REDIS_PASSWORD") -}}
{{- end -}}
- name: DROVER_QUEUE
{{- if .Values.redis.bundled.enabled }}
  value: redis://{{ if .Values.redis.bundled.auth.existingSecret }}:$(REDIS_PASSWORD)@{{ end }}{{ include "drover.fullname" . }}-redis:6379
{{- else if .Values.redis.external.existingSecret }}
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.external.existingSecret }}
      key: {{ .Values.redis.external.key }}
{{- else }}
  value: {{ required "redis.external.url or redis.external.existingSecret is needed when redis.bundled.enabled is false" .Values.redis.external.url }}
{{- end }}
{{- end -}}

{{- define "drover.advertiseEnv" -}}
- name: DROVER_ADVERTISE
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- end -}}

{{- define "drover.tracingArgs" -}}
{{- with .Values.tracing.endpoint -}}
- --otlp-endpoint={{ . }}
- --trace-ratio={{ $.Values.tracing.ratio }}
{{- end }}
{{- end -}}

{{/* What Pod Security's `restricted` asks for. A volume of a checkpoint's size is not gone through at each start: OnRootMismatch. */}}
{{- define "drover.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "drover.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Probes on the admin port, which a thread of its own answers: (dict "startupSeconds" N), of several containers with the port's name as "adminPort" */}}
{{- define "drover.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ .adminPort | default "admin" }}}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: {{ max 30 (div (int .startupSeconds) 2) }}
livenessProbe:
  httpGet: {path: /livez, port: {{ .adminPort | default "admin" }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ .adminPort | default "admin" }}}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{/* Ports behind one another, as a NetworkPolicy names them: (list FIRST COUNT). */}}
{{- define "drover.ports" -}}
{port: {{ index . 0 }}, protocol: TCP{{ if gt (int (index . 1)) 1 }}, endPort: {{ add (index . 0) (index . 1) -1 }}{{ end }}}
{{- end -}}

{{/* Workers of the pod that has the most. */}}
{{- define "drover.workersPerPod" -}}
{{- $most := 1 -}}
{{- range $set := .Values.workers -}}
{{- $worker := include "drover.workerSet" (list $ $set) | fromYaml -}}
{{- if not $worker.disabled -}}{{- $most = max $most $worker.workersPerPod -}}{{- end -}}
{{- end -}}
{{- $most -}}
{{- end -}}

{{- define "drover.scrapeAnnotations" -}}
{{- if .Values.metrics.annotations.enabled -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9400"
prometheus.io/path: /metrics
{{- end }}
{{- end -}}

{{/* The checkpoint's volume and where it is mounted. */}}
{{- define "drover.modelVolume" -}}
{{- if eq .Values.model.source "pvc" -}}
- name: models
  persistentVolumeClaim:
    claimName: {{ required "model.pvc.claimName is needed when model.source is pvc" .Values.model.pvc.claimName }}
{{- else if eq .Values.model.source "hostPath" -}}
- name: models
  hostPath:
    path: {{ required "model.hostPath.path is needed when model.source is hostPath" .Values.model.hostPath.path }}
    type: Directory
{{- end }}
{{- end -}}

{{- define "drover.modelMount" -}}
{{- if ne .Values.model.source "image" -}}
- name: models
  mountPath: /models
  readOnly: true
{{- end }}
{{- end -}}

{{/* What a pod's placement says: (list . component settings) */}}
{{- define "drover.placement" -}}
{{- $root := index . 0 -}}
{{- $settings := index . 2 -}}
{{- with $settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.topologySpreadKeys }}
topologySpreadConstraints:
{{- range . }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "drover.selector" (list $root (index $ 1)) | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The component label of a set of workers. */}}
{{- define "drover.workerComponent" -}}
worker-{{ . }}
{{- end -}}

{{- define "drover.serviceAccountName" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.serviceAccount.create -}}
{{ include "drover.fullname" $root }}-{{ index . 1 }}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* A NetworkPolicy peer: the pods of a component, (list . component) */}}
{{- define "drover.peer" -}}
podSelector:
  matchLabels: {{- include "drover.selector" . | nindent 4 }}
{{- end -}}

{{/* Labels of the workers of a role: (list . role) */}}
{{- define "drover.role" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "drover.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
drover.dev/role-{{ index . 1 }}: "true"
{{- end -}}

{{- define "drover.anyWorker" -}}
app.kubernetes.io/name: {{ include "drover.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
drover.dev/worker: "true"
{{- end -}}

{{/* The Secret by which the processes know each other; empty: they answer everybody. */}}
{{- define "drover.clusterSecretName" -}}
{{- if .Values.clusterSecret.existingSecret -}}
{{- .Values.clusterSecret.existingSecret -}}
{{- else if or .Values.clusterSecret.create .Values.clusterSecret.job -}}
{{- include "drover.fullname" . }}-cluster
{{- end -}}
{{- end -}}

{{- define "drover.clusterSecretArgs" -}}
{{- if include "drover.clusterSecretName" . -}}
- --cluster-secret-file=/etc/drover-cluster/cluster-secret
{{- if not .Values.clusterSecret.membersOnly }}
- --no-members-only
{{- end }}
{{ end -}}
{{- if include "drover.clusterTlsName" . -}}
- --cluster-tls=/etc/drover-cluster-tls
{{- end -}}
{{- end -}}

{{/* The Secret of the certificates by which all between the processes is encrypted; empty: it is not. */}}
{{- define "drover.clusterTlsName" -}}
{{- with .Values.clusterTls -}}
{{- if .enabled -}}
{{- default (printf "%s-cluster-tls" (include "drover.fullname" $)) .existingSecret -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether a Job makes them. */}}
{{- define "drover.clusterTlsJob" -}}
{{- with .Values.clusterTls -}}
{{- if and .enabled (not .existingSecret) (not .certManager.issuer) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{- define "drover.clusterSecretMount" -}}
{{- if include "drover.clusterSecretName" . -}}
- {name: cluster-secret, mountPath: /etc/drover-cluster, readOnly: true}
{{ end -}}
{{- if include "drover.clusterTlsName" . -}}
- {name: cluster-tls, mountPath: /etc/drover-cluster-tls, readOnly: true}
{{- end -}}
{{- end -}}

{{- define "drover.clusterSecretVolume" -}}
{{- with include "drover.clusterSecretName" . -}}
- name: cluster-secret
  secret:
    secretName: {{ . }}
    items:
      - {key: {{ $.Values.clusterSecret.key }}, path: cluster-secret}
{{ end -}}
{{- with include "drover.clusterTlsName" . -}}
- name: cluster-tls
  secret:
    secretName: {{ . }}
{{- end -}}
{{- end -}}

{{/* Memory that a router of these settings may take, MiB: the sum of libs/router/src/memory/router-memory.ts, to which a test holds it. */}}
{{- define "drover.routerMemoryMib" -}}
{{- $m := .memory -}}
{{- $body := int $m.maxBodyMib -}}
{{- $mib := add (include "drover.routerRestMib" .) (mul 2 (add 10 27) $body) 550 120 (mul 4 $body) (mul 8 8) 48 (mul 2 (int $m.bodiesMib)) (mul 2 (int $m.unreadMib)) -}}
{{- $tenths := add (mul 15 (int $m.imagesMib)) (mul 25 (int $m.promptsMib)) (mul 15 (int $m.answersMib)) -}}
{{- $kib := add (mul 1024 $mib) (div (mul 1024 $tenths) 10) (mul 2 40 (int .maxConnections)) (mul 2 64 (int .maxRequests)) -}}
{{- div (add $kib 1023) 1024 -}}
{{- end -}}

{{/* Of it, what a router takes at rest. */}}
{{- define "drover.routerRestMib" -}}640{{- end -}}

{{/* A router's requests and limits: where they do not say memory, what its settings come to. */}}
{{- define "drover.routerResources" -}}
{{- $resources := deepCopy .resources -}}
{{- $requests := merge (deepCopy (default dict $resources.requests)) (dict "memory" (printf "%sMi" (include "drover.routerRestMib" .))) -}}
{{- $limits := merge (deepCopy (default dict $resources.limits)) (dict "memory" (printf "%sMi" (include "drover.routerMemoryMib" .))) -}}
{{- toYaml (merge (dict "requests" $requests "limits" $limits) $resources) -}}
{{- end -}}

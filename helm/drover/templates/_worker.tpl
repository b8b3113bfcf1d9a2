{{/*
One worker's container: (dict "root" . "settings" set "index" N "count" N). Of several in a pod the second has the ports after the first's, and so on; each of them has GPUs of its own, and they share
the pod's files and processes.
*/}}
{{- define "drover.worker" -}}
{{- $root := .root -}}
{{- $settings := .settings -}}
{{- $index := int .index -}}
{{- $roles := $settings.roles -}}
{{- if and (eq $index 0) $settings.firstRoles }}{{ $roles = $settings.firstRoles }}{{ end -}}
{{- $suffix := "" -}}
{{- if gt $index 0 }}{{ $suffix = printf "-%d" $index }}{{ end -}}
{{- $device := include "drover.device" $settings -}}
- name: worker{{ $suffix }}
  image: {{ include "drover.workerImage" (list $root $settings) }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  args:
    - worker
    - --roles={{ join "," $roles }}
    - --model={{ $root.Values.model.path }}
    - --model-name={{ $root.Values.model.name }}
    - --scheduler={{ include "drover.schedulers" $root }}
    - --listen=0.0.0.0
    - --grpc-port={{ add 50053 $index }}
    - --admin-port={{ add 9400 $index }}
    - --threads={{ $settings.threads }}
    {{- if ne $device "cpu" }}
    - --device={{ $device }}
    {{- end }}
    {{- with $settings.precision }}
    - --precision={{ . }}
    {{- end }}
    {{- with $settings.quantize }}
    - --quantize={{ . }}
    - --quantize-block={{ $settings.quantizeBlock }}
    {{- end }}
    {{- if or (has "attention" $roles) (has "context" $roles) }}
    - --kv-memory={{ $settings.kvMemory }}
    - --kv-dtype={{ $settings.kvDtype }}
    {{- end }}
    {{- if has "attention" $roles }}
    - --prefill-chunk={{ $settings.prefillChunk }}
    - --step-ms={{ $settings.stepMs }}
    - --prefix-cache={{ $settings.prefixCache }}
    {{- with $settings.stripeAbove }}
    - --stripe-above={{ . | int64 }}
    {{- end }}
    {{- end }}
    {{- if and (has "experts" $roles) $settings.expertMemory }}
    - --expert-memory={{ $settings.expertMemory }}
    {{- end }}
    {{- if has "vision" $roles }}
    - --vision-cache={{ $settings.visionCache }}
    {{- end }}
    - --stall-after={{ $settings.stallAfter }}
    - --drain-delay={{ $settings.drainDelay }}
    - --drain-grace={{ $settings.drainGraceSeconds }}s
    {{- with include "drover.clusterSecretArgs" $root | trim }}{{ . | nindent 4 }}{{ end }}
    {{- with include "drover.tracingArgs" $root }}{{ . | nindent 4 }}{{ end }}
    {{- with $settings.extraArgs }}{{ toYaml . | nindent 4 }}{{ end }}
  env:
    {{- if eq (int .count) 1 }}
    - name: DROVER_WORKER_ID
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    {{- else }}
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    - {name: DROVER_WORKER_ID, value: $(POD_NAME)-{{ $index }}}
    {{- end }}
    {{- include "drover.advertiseEnv" $root | nindent 4 }}
    {{- /* ONNX Runtime reports home unless it is told not to. */}}
    - {name: ORT_DISABLE_TELEMETRY, value: "1"}
    {{- if ne $device "cpu" }}
    {{- /* What NVIDIA's runtime brings into the container: the driver's library, and nvidia-smi. Compiled kernels are kept below HOME. */}}
    - {name: NVIDIA_DRIVER_CAPABILITIES, value: "compute,utility"}
    - {name: HOME, value: /tmp}
    {{- end }}
    {{- with $settings.extraEnv }}{{ toYaml . | nindent 4 }}{{ end }}
  ports:
    - {name: grpc{{ $suffix }}, containerPort: {{ add 50053 $index }}}
    - {name: admin{{ $suffix }}, containerPort: {{ add 9400 $index }}}
  {{- include "drover.probes" (set (deepCopy $settings) "adminPort" (printf "admin%s" $suffix)) | nindent 2 }}
  resources:
    {{- $resources := deepCopy $settings.resources }}
    {{- if $settings.gpus }}
    {{- $resources = mergeOverwrite $resources (dict "limits" (dict "nvidia.com/gpu" $settings.gpus) "requests" (dict "nvidia.com/gpu" $settings.gpus)) }}
    {{- end }}
    {{- toYaml $resources | nindent 4 }}
  securityContext: {{- include "drover.securityContext" $root | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    {{- with include "drover.clusterSecretMount" $root | trim }}{{ . | nindent 4 }}{{ end }}
    {{- with include "drover.modelMount" $root }}{{ . | nindent 4 }}{{ end }}
{{- end -}}

{{/* What a set computes with: what it says, else the first card that its GPUs are, else the CPU. A card refuses what it does not keep. */}}
{{- define "drover.device" -}}
{{- $device := .device | default (ternary "cuda:0" "cpu" (gt (int .gpus) 0)) -}}
{{- $isCard := ne $device "cpu" -}}
{{- if and $isCard (eq .kvDtype "int8") }}{{ fail "kvDtype int8: a card keeps keys and values as f32 or f16" }}{{ end -}}
{{- if and (not $isCard) (eq .kvDtype "f16") }}{{ fail "kvDtype f16: a CPU keeps keys and values as f32 or int8" }}{{ end -}}
{{- if and (not $isCard) (eq .kvMemory "auto") }}{{ fail "kvMemory auto measures a card: for a CPU say how much" }}{{ end -}}
{{- $device -}}
{{- end -}}

{{/* The image of a set: (list . set). */}}
{{- define "drover.workerImage" -}}
{{- $root := index . 0 -}}
{{- $tag := $root.Values.image.gpuTag -}}
{{- if and $tag (ne (include "drover.device" (index . 1)) "cpu") -}}
{{ $root.Values.image.repository }}:{{ $tag }}
{{- else -}}
{{ include "drover.image" $root }}
{{- end -}}
{{- end -}}

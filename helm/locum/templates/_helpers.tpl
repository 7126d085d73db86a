{{- define "locum.labels" -}}
app.kubernetes.io/name: locum
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "locum.image" -}}
{{ required "image.repository: name the image that you built" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "locum.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "locum.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "locum.anywhereButMetadata" -}}
- ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}
- ipBlock: {cidr: "::/0", except: ["fe80::/10", "fd00:ec2::/32"]}
{{- end }}

{{- define "locum.policy" -}}
{{- if .Values.policy }}
- {name: LOCUM_APPROVALS__POLICY, value: /etc/locum/policy.yaml}
{{- end }}
{{- end }}

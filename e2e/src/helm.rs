//! The real helm, for one cluster.

use std::path::{Path, PathBuf};

use anyhow::Result;
use testkit::{Cluster, GoTool, Output, Program, Scratch};

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 0.1.0\n";
/// One template for all: a Pod that the API server itself refuses, one that runs before the release is there, or a Deployment
/// whose Pods are refused later.
const TEMPLATE: &str = r#"
{{- define "pod" -}}
metadata:
  name: {{ .Release.Name }}
  labels:
    app.kubernetes.io/name: {{ .Chart.Name }}
    app.kubernetes.io/instance: {{ .Release.Name }}
    helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
  {{- if eq .Values.kind "Hook" }}
  annotations: {helm.sh/hook: pre-install}
  {{- end }}
{{- end }}
{{- if ne .Values.kind "Deployment" }}
apiVersion: v1
kind: Pod
{{ template "pod" . }}
spec:
  containers: [{name: shop, image: {{ .Values.image | quote }}}]
{{- else }}
apiVersion: apps/v1
kind: Deployment
{{ template "pod" . }}
spec:
  selector: {matchLabels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
  template:
    {{- include "pod" . | nindent 4 }}
    spec:
      containers: [{name: shop, image: {{ .Values.image | quote }}}]
{{- end }}
"#;

/// Helm with nothing of the developer's own.
#[derive(Debug)]
pub struct Helm {
    program: Program,
    scratch: Scratch,
}

impl Helm {
    /// Helm as the administrator of a cluster.
    pub fn new(cluster: &Cluster) -> Result<Self> {
        let scratch = Scratch::new("helm")?;
        let program = ["CACHE", "CONFIG", "DATA"].into_iter().fold(
            Program::at(&GoTool::HELM.find()?).environment("KUBECONFIG", cluster.kubeconfig("admin")?),
            |program, what| {
                program.environment(&format!("HELM_{what}_HOME"), scratch.path().join(what.to_lowercase()))
            },
        );
        Ok(Self { program, scratch })
    }

    /// A folder for charts.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.program.clone().arguments(arguments).run(b"")
    }
}

/// Writes a small chart with values `kind` (Pod, Hook or Deployment) and `image`, and returns its folder.
pub fn write_chart(folder: &Path) -> Result<PathBuf> {
    let chart = folder.join("shop");
    fs_err::create_dir_all(chart.join("templates"))?;
    fs_err::write(chart.join("Chart.yaml"), CHART)?;
    fs_err::write(chart.join("values.yaml"), "kind: Pod\nimage: \"\"\n")?;
    fs_err::write(chart.join("templates/workload.yaml"), TEMPLATE)?;
    Ok(chart)
}

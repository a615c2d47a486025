//! Spans for a collector, as OTLP over HTTP. A collector that is slow, wrong or dead costs spans and nothing else.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use tokio::runtime::Handle;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};

use crate::config::VERSION;
use crate::config::traces::TracingConfig;
use crate::terminal;

/// Spans that wait to be sent; when it is full, new ones are left out.
const QUEUE_SPANS: usize = 4096;
const BATCH_SPANS: usize = 512;
const PAUSE: Duration = Duration::from_secs(2);
/// How long one delivery may take.
const SEND_TIME: Duration = Duration::from_secs(4);
/// A collector that does not answer is told about this often.
const WARNING_PAUSE: Duration = Duration::from_secs(300);
/// Crates whose spans are sent. Those of others may hold anything, and the sending itself would be among them.
const OURS: [&str; 5] = ["telemetry", "engine", "scanner", "admission", "lazaret"];

/// Which spans are sent; lines of the log stay in the log.
pub(crate) fn filter() -> FilterFn {
    let is_sent = |metadata: &Metadata<'_>| {
        let origin = metadata.target().split("::").next().unwrap_or_default();
        metadata.is_span() && *metadata.level() <= Level::INFO && OURS.contains(&origin)
    };
    filter_fn(is_sent as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

/// Takes spans and sends them on from a thread of its own; called inside the runtime that the sending needs.
pub(crate) fn provider(config: &TracingConfig) -> anyhow::Result<SdkTracerProvider> {
    let client = reqwest::Client::builder()
        .timeout(SEND_TIME)
        // Elsewhere nobody has agreed to get the headers.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("failed to prepare the sending of spans")?;
    let collector = Collector {
        client,
        runtime: Handle::current(),
        config: config.clone(),
        resource: ResourceAttributesWithSchema::default(),
        state: Mutex::default(),
    };
    let queue = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_SPANS)
        .with_max_export_batch_size(BATCH_SPANS)
        .with_scheduled_delay(PAUSE)
        .build();
    let attributes = config.attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let resource = Resource::builder_empty()
        .with_attribute(KeyValue::new("service.version", VERSION))
        .with_attributes(attributes)
        .with_service_name(config.service_name.clone())
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(collector).with_batch_config(queue).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
        .with_resource(resource)
        .build())
}

#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    config: TracingConfig,
    resource: ResourceAttributesWithSchema,
    state: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    lost_spans: usize,
    warned_at: Option<Instant>,
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let sent = self.send(body).await;
        self.note(count, sent.as_ref().err().map(String::as_str));
        sent.map_err(OTelSdkError::InternalFailure)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl Collector {
    async fn send(&self, body: Vec<u8>) -> Result<(), String> {
        let request = self
            .client
            .post(self.config.url.clone())
            .headers(self.config.headers.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))
            .body(body);
        // This thread is not part of the runtime that clocks and the network need.
        let sent = self
            .runtime
            .spawn(async move { request.send().await })
            .await
            .map_err(|error| error.to_string())?;
        let status =
            sent.map_err(|error| terminal::chain(&anyhow::Error::new(error.without_url())))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("the collector answers {status}")) }
    }

    /// Says now and then that spans are lost, and once that they are not any more.
    fn note(&self, count: usize, problem: Option<&str>) {
        let Ok(mut state) = self.state.lock() else { return };
        let endpoint = self.config.url.as_str();
        match problem {
            None if state.lost_spans > 0 => {
                tracing::info!(
                    otlp.endpoint = endpoint,
                    otlp.lost_spans = state.lost_spans,
                    "spans are sent again"
                );
                *state = Failures::default();
            }
            None => {}
            Some(problem) => {
                state.lost_spans += count;
                if state.warned_at.is_none_or(|at| at.elapsed() >= WARNING_PAUSE) {
                    state.warned_at = Some(Instant::now());
                    tracing::warn!(
                        otlp.endpoint = endpoint,
                        otlp.lost_spans = state.lost_spans,
                        error = problem,
                        "spans cannot be sent and are lost"
                    );
                }
            }
        }
    }
}

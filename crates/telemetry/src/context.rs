//! The trace that something belongs to, as it travels: the `traceparent` of W3C Trace Context.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The trace and span of what runs here, to be sent or stored; `None` where nothing is traced.
pub fn trace_parent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let current = span.span_context();
    current.is_valid().then(|| {
        let flags = current.trace_flags() & TraceFlags::SAMPLED;
        format!("00-{}-{}-{:02x}", current.trace_id(), current.span_id(), flags.to_u8())
    })
}

/// Lets a span that has not begun yet be part of the trace that a text names. A text that names none changes nothing.
pub fn follow(span: &Span, trace_parent: Option<&str>) {
    follow_with_state(span, trace_parent, None);
}

/// The same with the words of other systems that travel with a trace.
pub(crate) fn follow_with_state(span: &Span, trace_parent: Option<&str>, state: Option<&str>) {
    let Some(mut parent) = trace_parent.and_then(parse) else { return };
    if let Some(state) = state.and_then(|state| state.parse::<TraceState>().ok()) {
        parent = SpanContext::new(parent.trace_id(), parent.span_id(), parent.trace_flags(), true, state);
    }
    // Nobody exports: then there is nothing to be part of.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// The id of the trace that a span is part of, for the log.
pub(crate) fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let current = span.span_context();
    current.is_valid().then(|| current.trace_id().to_string())
}

/// Gives a span that runs already the name that collectors show; the log keeps the old one.
pub(crate) fn rename(span: &Span, name: String) {
    span.context().span().update_name(name);
}

/// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>, level 1: later versions may add fields at the end.
fn parse(text: &str) -> Option<SpanContext> {
    let mut fields = text.trim().split('-');
    let mut field = |length: usize| {
        let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        fields.next().filter(|field| field.len() == length && field.bytes().all(is_hex))
    };
    let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    let is_known = match version {
        "ff" => false,
        "00" => fields.next().is_none(),
        _ => true,
    };
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    (is_known && context.is_valid()).then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn only_what_the_specification_allows_names_a_trace() {
        for (text, is_sampled) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), Some(true)),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), Some(false)),
            (format!(" 00-{TRACE}-00f067aa0ba902b7-03 "), Some(true)),
            (format!("01-{TRACE}-00f067aa0ba902b7-01-more"), Some(true)),
            (format!("00-{TRACE}-00f067aa0ba902b7-01-more"), None),
            (format!("ff-{TRACE}-00f067aa0ba902b7-01"), None),
            (format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()), None),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), None),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), None),
            (format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]), None),
            (format!("00-{TRACE}-00f067aa0ba902b7"), None),
            (String::new(), None),
        ] {
            let parsed = parse(&text);
            assert_eq!(parsed.as_ref().map(SpanContext::is_sampled), is_sampled, "{text}");
            assert!(parsed.is_none_or(|context| context.trace_id().to_string() == TRACE));
        }
    }

    #[test]
    fn without_an_exporter_there_is_no_trace() {
        let span = tracing::error_span!("work");
        follow(&span, Some(&format!("00-{TRACE}-00f067aa0ba902b7-01")));
        let _entered = span.enter();
        assert_eq!((trace_parent(), trace_id(&span)), (None, None));
    }
}

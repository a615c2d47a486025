//! Who is told about spans: our own settings first, then the variables that OpenTelemetry has for every program.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>, read 2026-11.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::layers::Values;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const TRACES_HEADERS: &str = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SAMPLER_ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const DISABLED: &str = "OTEL_SDK_DISABLED";

/// The variables that are honoured.
pub(super) const VARIABLES: [&str; 8] = [
    ENDPOINT,
    TRACES_ENDPOINT,
    HEADERS,
    TRACES_HEADERS,
    SERVICE_NAME,
    ATTRIBUTES,
    SAMPLER_ARGUMENT,
    DISABLED,
];
const PATH: &str = "/v1/traces";

/// Checked settings of what is sent to a collector.
#[derive(Clone, PartialEq)]
pub(crate) struct TracingConfig {
    /// Where spans are posted.
    pub(crate) url: reqwest::Url,
    pub(crate) headers: HeaderMap,
    /// Between 0 and 1.
    pub(crate) sample_ratio: f64,
    pub(crate) service_name: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl std::fmt::Debug for TracingConfig {
    /// Without headers: they hold the password of the collector.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TracingConfig").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Reads them; `None` where no collector is named.
pub(super) fn load(
    values: &Values,
    variables: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Option<TracingConfig> {
    let ours = values.text("tracing.otlp-endpoint");
    if ours.is_none() && variables.get(DISABLED).is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return None;
    }
    let (place, address) = match ours {
        Some(address) => (values.place("tracing.otlp-endpoint"), below(&address)),
        None => match (variables.get(TRACES_ENDPOINT), variables.get(ENDPOINT)) {
            // The one for traces is meant as it is.
            (Some(address), _) => (TRACES_ENDPOINT.to_owned(), address.clone()),
            (None, Some(address)) => (ENDPOINT.to_owned(), below(address)),
            (None, None) => return None,
        },
    };
    let url = match parse_url(&address) {
        Ok(url) => Some(url),
        Err(problem) => {
            problems.push(format!("{place}: {problem}"));
            None
        }
    };
    let mut either = |key: &'static str,
                      names: &[&'static str],
                      read: &mut dyn FnMut(&str) -> Result<(), String>| {
        let given = values.text(key).filter(|text| !text.is_empty()).map(|text| (values.place(key), text));
        let fallback =
            || names.iter().find_map(|name| Some(((*name).to_owned(), variables.get(*name)?.clone())));
        if let Some((place, text)) = given.or_else(fallback)
            && let Err(problem) = read(&text)
        {
            problems.push(format!("{place}: {problem}"));
        }
    };
    let (mut headers, mut sample_ratio) = (HeaderMap::new(), 1.0);
    let (mut service_name, mut attributes) = ("lazaret".to_owned(), Vec::new());
    either("tracing.otlp-headers", &[TRACES_HEADERS, HEADERS], &mut |text| {
        headers = parse_headers(text)?;
        Ok(())
    });
    either("tracing.sample-ratio", &[SAMPLER_ARGUMENT], &mut |text| {
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        sample_ratio = ratio.ok_or_else(|| format!("`{text}` is not a number between 0 and 1"))?;
        Ok(())
    });
    either("tracing.service-name", &[SERVICE_NAME], &mut |text| {
        text.clone_into(&mut service_name);
        Ok(())
    });
    either("tracing.resource-attributes", &[ATTRIBUTES], &mut |text| {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let pair = |word: &str| pair(word).ok_or_else(|| format!("`{word}` is not NAME=VALUE"));
        attributes = words.map(pair).collect::<Result<_, _>>()?;
        Ok(())
    });
    Some(TracingConfig { url: url?, headers, sample_ratio, service_name, attributes })
}

/// Where a collector at an address takes traces.
fn below(address: &str) -> String {
    let address = address.trim_end_matches('/');
    if address.ends_with(PATH) { address.to_owned() } else { format!("{address}{PATH}") }
}

fn parse_url(address: &str) -> Result<reqwest::Url, &'static str> {
    let wrong = "it is no address of a collector, as http://127.0.0.1:4318";
    let url: reqwest::Url = address.parse().map_err(|_| wrong)?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("it holds a password: give it as a header, `authorization=Basic%20…`")
        }
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(wrong),
    }
}

/// The values are secret, so no problem shows them.
fn parse_headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    for (number, word) in words.enumerate() {
        let header = pair(word).and_then(|(name, value)| {
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        });
        let (name, value) =
            header.ok_or_else(|| format!("the header {} is not NAME=VALUE, percent-encoded", number + 1))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// `name=value`, with a value that may be percent-encoded.
fn pair(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let (name, value) = (name.trim(), decode(value.trim())?);
    (!name.is_empty()).then(|| (name.to_owned(), value))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(if *first == b'%' {
            let (hex, behind) = rest.split_at_checked(2)?;
            rest = behind;
            u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?
        } else {
            *first
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::layers::Inputs;
    use super::*;

    fn loaded(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> (Option<TracingConfig>, Vec<String>) {
        let flag =
            |(key, text): &(&str, &str)| ((*key).to_owned(), format!("--set {key}"), (*text).to_owned());
        let values = Values::collect(&Inputs {
            file: None,
            environment: BTreeMap::new(),
            flags: flags.iter().map(flag).collect(),
        });
        let variables =
            variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let mut problems = values.problems.clone();
        let config = load(&values, &variables, &mut problems);
        (config, problems)
    }

    #[test]
    fn nothing_is_sent_unless_somebody_names_a_collector() {
        assert_eq!(loaded(&[], &[]), (None, Vec::new()));
        assert_eq!(loaded(&[("tracing.sample-ratio", "0.5")], &[(SERVICE_NAME, "a")]).0, None);
        assert_eq!(loaded(&[], &[(ENDPOINT, "http://h:4318"), (DISABLED, "TRUE")]).0, None);
    }

    #[test]
    fn our_settings_win_over_the_variables_of_all_programs() {
        let variables = [
            (ENDPOINT, "http://h:4318/base/"),
            (HEADERS, "authorization=Basic%20YTpi, x-team=a"),
            (SERVICE_NAME, "theirs"),
            (ATTRIBUTES, "deployment.environment.name=test,host.name=a%20b"),
            (SAMPLER_ARGUMENT, "0.25"),
        ];
        let (config, problems) = loaded(&[], &variables);
        assert_eq!(problems, Vec::<String>::new());
        let config = config.unwrap();
        assert_eq!(config.url.as_str(), "http://h:4318/base/v1/traces");
        assert_eq!(config.headers["authorization"], "Basic YTpi");
        assert_eq!(config.headers["x-team"], "a");
        assert_eq!((config.sample_ratio, config.service_name.as_str()), (0.25, "theirs"));
        assert_eq!(config.attributes[1], ("host.name".to_owned(), "a b".to_owned()));
        assert!(!format!("{config:?}").contains("YTpi"));

        let ours = [
            ("tracing.otlp-endpoint", "https://ours"),
            ("tracing.otlp-headers", "x=1"),
            ("tracing.sample-ratio", "0"),
            ("tracing.service-name", "ours"),
            ("tracing.resource-attributes", "a=b"),
        ];
        let config = loaded(&ours, &variables).0.unwrap();
        assert_eq!(config.url.as_str(), "https://ours/v1/traces");
        assert_eq!(
            (config.headers.len(), config.sample_ratio, config.service_name.as_str()),
            (1, 0.0, "ours")
        );
        assert_eq!(config.attributes, [("a".to_owned(), "b".to_owned())]);
        let exact = loaded(&[], &[(TRACES_ENDPOINT, "http://h/own"), (ENDPOINT, "http://other")]).0.unwrap();
        assert_eq!(exact.url.as_str(), "http://h/own");
    }

    #[test]
    fn problems_name_the_place_and_no_secret() {
        for (key, text, part) in [
            ("tracing.otlp-endpoint", "https://u:hunter2@h", "it holds a password"),
            ("tracing.otlp-endpoint", "http://[::", "no address of a collector"),
            ("tracing.otlp-headers", "authorization=a,hunter2", "the header 2 is not NAME=VALUE"),
            ("tracing.otlp-headers", "authorization=%zz", "the header 1"),
            ("tracing.sample-ratio", "2", "between 0 and 1"),
            ("tracing.resource-attributes", "a", "`a` is not NAME=VALUE"),
        ] {
            let (_, problems) = loaded(&[("tracing.otlp-endpoint", "http://h"), (key, text)], &[]);
            let text = problems.join("\n");
            assert!(text.contains(key) && text.contains(part) && !text.contains("hunter2"), "{text}");
        }
        assert!(loaded(&[], &[(ENDPOINT, "collector:4317")]).1[0].starts_with(ENDPOINT));
    }
}

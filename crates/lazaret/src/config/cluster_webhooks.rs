//! Settings of the webhooks of clusters in this process.

use std::net::SocketAddr;

use super::layers::Values;

/// Where the webhooks of clusters are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebhooksConfig {
    pub(crate) listen: SocketAddr,
    /// `https://host[:port]`; `None`: the address itself.
    pub(crate) url: Option<String>,
}

impl WebhooksConfig {
    /// What the certificate is for: the host that API servers call.
    pub(crate) fn host(&self) -> String {
        self.url.as_deref().map_or_else(|| self.listen.ip().to_string(), |url| host_of(url).to_owned())
    }
}

pub(super) fn settings(values: &Values, problems: &mut Vec<String>) -> Option<WebhooksConfig> {
    let (listen_key, url_key) = ("listeners.webhooks", "listeners.webhooks-url");
    let url = values.text(url_key);
    let Some(listen) = values.address(listen_key) else {
        if url.is_some() {
            problems.push(format!("{} needs --admission-listen", values.place(url_key)));
        }
        return None;
    };
    match &url {
        Some(url) if !url.starts_with("https://") || host_of(url).is_empty() => problems.push(format!(
            "{}: API servers ask webhooks over TLS only, so `{url}` must be https://HOST:PORT",
            values.place(url_key)
        )),
        None if listen.ip().is_unspecified() => problems.push(format!(
            "{}: {listen} is no address that clusters can call: give --admission-url https://HOST:PORT",
            values.place(listen_key)
        )),
        _ => {}
    }
    Some(WebhooksConfig { listen, url })
}

fn host_of(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_for_the_host_that_is_called() {
        let host = |url: Option<&str>| {
            let listen = "127.0.0.1:9443".parse().unwrap();
            WebhooksConfig { listen, url: url.map(str::to_owned) }.host()
        };
        assert_eq!(host(None), "127.0.0.1");
        assert_eq!(host(Some("https://webhooks.example:8443")), "webhooks.example");
        assert_eq!(host(Some("https://[fd00::1]:8443/x")), "fd00::1");
    }
}

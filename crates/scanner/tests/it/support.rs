//! What the tests of this crate share: images built in memory, and a server that misbehaves on request.

pub(crate) mod chunked;
pub(crate) mod image;
pub(crate) mod server;

use std::sync::Once;
use std::time::Duration;

use scanner::{RegistryOptions, RetryOptions, ScanOptions, Timeouts};

/// Options for a registry on this machine that is named insecure, with waits so short that a fault shows at once.
pub(crate) fn options(host: &str) -> ScanOptions {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    });
    let registry = RegistryOptions {
        insecure_registries: [host.to_owned()].into(),
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            document: Duration::from_secs(10),
            helper: Duration::from_secs(5),
        },
        retry: RetryOptions {
            tries_max: 3,
            wait_first: Duration::from_millis(1),
            wait_max: Duration::from_millis(100),
        },
        ..RegistryOptions::default()
    };
    ScanOptions { registry, time_max: Duration::from_secs(60), ..ScanOptions::default() }
}

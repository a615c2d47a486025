//! What is wrong with a cluster, in words that say what to do.

use std::error::Error;

use crate::storage_error::chain;

use super::connection::ANSWER_TIME_MAX;

/// Texts of an API server are anybody's, so only this much of them is repeated.
const TEXT_CHARS_MAX: usize = 300;

/// Completes "cluster `x` …".
pub(crate) fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        let message = shortened(&status.message);
        return match status.code {
            401 => "does not accept the credentials of the kubeconfig: they are wrong, have ended or were revoked. Put new ones \
                    into its secret"
                .to_owned(),
            403 => format!("does not let the user of the kubeconfig do this: {message}"),
            code => format!("answered with status {code}: {message}"),
        };
    }
    if let Some(refused) = outbound_guard::find_refusal(error) {
        return format!("is not connected to: {refused}");
    }
    let text = chain(error);
    if is_elapsed(error) {
        return format!("did not answer within {} s", ANSWER_TIME_MAX.as_secs());
    }
    for (part, meaning) in [
        ("Connection refused", "refused the connection: nobody listens at its address"),
        (
            "UnknownIssuer",
            "has a certificate that `certificate-authority-data` of the kubeconfig has not signed",
        ),
        (
            "NotValidForName",
            "has a certificate for other names than its address: see `tls-server-name` of the kubeconfig",
        ),
        ("certificate expired", "has a certificate that has ended"),
        ("invalid peer certificate", "has a certificate that is not accepted"),
        ("CertificateExpired", "does not accept the client certificate of the kubeconfig, which has ended"),
    ] {
        if text.contains(part) {
            return format!("{meaning} ({})", shortened(&text));
        }
    }
    format!("does not answer: {}", shortened(&text))
}

/// Whether a limit of time was reached, ours or that of the network.
fn is_elapsed(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let is_network = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
        if is_network || error.is::<tower::timeout::error::Elapsed>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn shortened(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(TEXT_CHARS_MAX + 1)
        .collect();
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

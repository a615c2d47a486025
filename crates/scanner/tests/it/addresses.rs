//! Where registries may be: numbers, names, realms, redirects, proxies.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use outbound_guard::{FixedNames, NameLookup, Names};
use scanner::{
    AddressRule, Credentials, HostList, ImageSource, RegistryAddresses, RegistryLogin, ScanError,
    ScanErrorKind, ScanOptions, Secret, load, resolve,
};

use crate::support::image::TestImage;
use crate::support::options;
use crate::support::server::{Reply, Server};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// As `serve` connects when only these hosts are named.
fn guarded(named: &[&str]) -> ScanOptions {
    let mut options = options("unused");
    let mut list = HostList::default();
    for host in named {
        list.add(host).unwrap();
        options.registry.insecure_registries.insert((*host).to_owned());
    }
    options.registry.addresses =
        RegistryAddresses::guarded(AddressRule::PublicOnly, AddressRule::PrivateNetworks, list);
    options
}

fn source(host: &str) -> ImageSource {
    ImageSource::Registry(format!("{host}/team/app:1").parse().unwrap())
}

async fn check_refused(host: &str, options: &ScanOptions, words: &[&str]) {
    let error = load(&source(host), options).await.unwrap_err();
    assert!(matches!(error, ScanError::ForbiddenAddress { .. }), "{host}: {error:?}");
    assert_eq!((error.kind(), error.is_retryable()), (ScanErrorKind::Unreachable, false), "{host}");
    let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    for word in words {
        assert!(text.contains(word), "{host}: `{word}` is missing in: {text}");
    }
}

fn names(name: &str, address: IpAddr) -> Names {
    Names::new(Arc::new(FixedNames([(name.to_owned(), vec![address])].into())))
}

#[tokio::test]
async fn an_image_name_leads_nowhere_private() {
    let server = Server::with_image(&TestImage::debian(), |_, _| None).await;
    let port = server.host.rsplit(':').next().unwrap();
    let hint = "`registries.private-hosts`";
    for host in
        ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "localhost", "[::ffff:127.0.0.1]"]
    {
        let host = format!("{host}:{port}");
        let mut options = guarded(&[]);
        // Without TLS, in all spellings: this alone opens nothing.
        let spellings = [host.clone(), server.host.clone(), format!("[::ffff:7f00:1]:{port}")];
        options.registry.insecure_registries.extend(spellings);
        check_refused(&host, &options, &["loopback", hint]).await;
    }
    for host in ["10.0.0.1:5000", "192.168.1.1", "100.64.1.1:1", "[fd12::1]:5000"] {
        check_refused(host, &guarded(&[]), &["private", hint]).await;
    }
    // Whoever names these does not mean them either.
    for host in ["169.254.169.254", "169.254.169.254:80", "100.100.100.200", "168.63.129.16"] {
        check_refused(host, &guarded(&[host]), &["never connected to"]).await;
    }
    assert!(server.asked().is_empty());
    assert!(load(&source(&server.host), &guarded(&[&server.host])).await.is_ok());
}

#[tokio::test]
async fn a_login_opens_private_networks_and_not_this_machine() {
    let server = Server::with_image(&TestImage::debian(), |_, _| None).await;
    let mut options = guarded(&[]);
    options.registry.insecure_registries.insert(server.host.clone());
    options.registry.addresses.add_login(&server.host);
    check_refused(&server.host, &options, &["`127.0.0.1` is a loopback address"]).await;
    options.registry.addresses.with_login = AddressRule::PrivateToo;
    assert!(load(&source(&server.host), &options).await.is_ok());
}

#[tokio::test]
async fn token_services_and_redirects_are_looked_at_for_themselves() {
    let image = TestImage::debian();
    let neighbour = Server::start(|_| Reply::new(200, r#"{"token":"good"}"#)).await;
    let realm = format!(r#"Bearer realm="http://{}/token""#, neighbour.host);
    let asks_for_token =
        Server::start(move |_| Reply::new(401, "").header("WWW-Authenticate", realm.clone())).await;
    let target = format!("http://{}/internal", neighbour.host);
    let redirects = Server::with_image(&image, move |asked, _| {
        let is_blob = asked.target.contains("/blobs/");
        is_blob.then(|| Reply::new(307, "").header("Location", target.clone()))
    })
    .await;
    let metadata =
        Server::start(|_| Reply::new(302, "").header("Location", "http://169.254.169.254/latest/meta-data/"))
            .await;
    for (registry, words) in [
        (&asks_for_token, [neighbour.host.as_str(), "loopback"]),
        (&redirects, [neighbour.host.as_str(), "loopback"]),
        (&metadata, ["`169.254.169.254`", "never connected to"]),
    ] {
        let mut options = guarded(&[&registry.host]);
        options.registry.insecure_registries.insert(neighbour.host.clone());
        options.registry.insecure_registries.insert("169.254.169.254".to_owned());
        let login = RegistryLogin {
            scope: registry.host.clone(),
            user: "user".to_owned(),
            password: Secret::new("hunter2"),
        };
        options.registry.credentials = Credentials::Logins(vec![login]);
        check_refused(&registry.host, &options, &words).await;
        assert!(!registry.asked().is_empty());
    }
    assert!(neighbour.asked().is_empty(), "nothing is sent, the password least of all");
}

#[tokio::test]
async fn names_are_looked_at_when_they_are_resolved() {
    let server = Server::with_image(&TestImage::debian(), |_, _| None).await;
    let port = server.host.rsplit(':').next().unwrap();
    let host = format!("registry.test:{port}");
    let mut options = guarded(&[]);
    options.registry.insecure_registries.insert(host.clone());
    options.registry.addresses.names = names("registry.test", LOOPBACK);
    check_refused(&host, &options, &[&host, "`127.0.0.1` is a loopback address"]).await;
    options.registry.addresses.names = names("registry.test", "169.254.169.254".parse().unwrap());
    check_refused(&host, &options, &["`169.254.169.254` is a link-local address"]).await;
    assert!(server.asked().is_empty());

    for named in [host.as_str(), "*.test", "127.0.0.0/8"] {
        options.registry.addresses.named.add(named).unwrap();
        options.registry.addresses.names = names("registry.test", LOOPBACK);
        assert!(load(&source(&host), &options).await.is_ok(), "{named}");
        options.registry.addresses.named = HostList::default();
    }
}

/// Answers with another address of this machine each time.
struct Turning(AtomicUsize);

impl NameLookup for Turning {
    fn find(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let last = u8::try_from(1 + self.0.fetch_add(1, Ordering::SeqCst)).unwrap();
        async move { Ok(vec![IpAddr::from([127, 0, 0, last])]) }.boxed()
    }
}

#[tokio::test]
async fn a_name_that_turns_elsewhere_gains_nothing() {
    // Every answer ends its connection, so every question looks the name up again.
    let server = Server::with_image(&TestImage::debian(), |_, _| None).await;
    let host = format!("turning.test:{}", server.host.rsplit(':').next().unwrap());
    let mut options = guarded(&[]);
    options.registry.insecure_registries.insert(host.clone());
    options.registry.addresses.named.add("127.0.0.1/32").unwrap();
    options.registry.addresses.names = Names::new(Arc::new(Turning(AtomicUsize::new(0))));
    check_refused(&host, &options, &["`127.0.0.2` is a loopback address"]).await;
    assert_eq!(server.asked().len(), 1, "the first answer was allowed");
}

#[tokio::test]
async fn a_proxy_of_the_settings_may_be_anywhere_and_is_no_registry() {
    let proxy = Server::with_image(&TestImage::debian(), |_, _| None).await;
    let port = proxy.host.rsplit(':').next().unwrap();
    let mut options = guarded(&[]);
    options.registry.addresses.names = names("proxy.test", LOOPBACK);
    options.registry.proxy.http = Some(Secret::new(format!("http://proxy.test:{port}")));
    options.registry.insecure_registries.extend(["public.test".to_owned(), format!("proxy.test:{port}")]);
    // Where the name leads is for the proxy to find out.
    let wanted = "public.test/team/app:1".parse().unwrap();
    resolve(&wanted, &options).await.unwrap();
    assert!(proxy.asked()[0].target.starts_with("http://public.test/v2/"), "{:?}", proxy.asked());
    let asked = proxy.asked().len();
    check_refused(&format!("proxy.test:{port}"), &options, &["loopback"]).await;
    assert_eq!(proxy.asked().len(), asked);
}

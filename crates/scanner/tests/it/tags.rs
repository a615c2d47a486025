//! Listing the tags of a repository: a real registry, and one that lies about its pages.

use model::ImageReference;
use scanner::{ScanError, ScanErrorKind, list_tags};
use testkit::{Registry, RegistryMode};

use crate::support::image::TestImage;
use crate::support::options;
use crate::support::server::{Ending, Reply, Server};

fn repository(host: &str) -> ImageReference {
    format!("{host}/team/app").parse().unwrap()
}

#[tokio::test]
async fn the_tags_of_a_repository_are_listed() {
    let registry = Registry::start(RegistryMode::Open).unwrap();
    let folder = tempfile::tempdir().unwrap();
    TestImage::write_layout(folder.path(), &[(&TestImage::debian(), "v1")]);
    for tag in ["1.1", "1.0", "latest"] {
        let source = format!("oci:{}:v1", folder.path().display());
        registry.push_from(&source, &format!("team/app:{tag}")).unwrap();
    }
    let options = options(&registry.host());
    let tags = list_tags(&repository(&registry.host()), 10, &options).await.unwrap();
    assert_eq!(tags.unwrap(), ["1.0", "1.1", "latest"]);
    let exactly = list_tags(&repository(&registry.host()), 3, &options).await.unwrap();
    assert_eq!(exactly.unwrap().len(), 3);
    let error = list_tags(&repository(&registry.host()), 2, &options).await.unwrap_err();
    assert!(matches!(error, ScanError::TooLarge { actual: 3, limit: 2, .. }), "{error}");
    let nothing = format!("{}/nosuch", registry.host()).parse().unwrap();
    assert_eq!(list_tags(&nothing, 10, &options).await.unwrap(), None);
}

/// The answer for each page, by the number of pages asked for before; a link is followed by it.
async fn check(
    page: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> (Result<Vec<String>, ScanError>, usize) {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| page(count.fetch_add(1, std::sync::atomic::Ordering::SeqCst))).await;
    let listed = list_tags(&repository(&server.host), 50, &options(&server.host)).await;
    (listed.map(Option::unwrap_or_default), server.asked().len())
}

fn page(tags: &str, next: &str) -> Reply {
    let reply = Reply::new(200, format!(r#"{{"name":"team/app","tags":{tags}}}"#));
    if next.is_empty() { reply } else { reply.header("Link", format!("<{next}>; rel=\"next\"")) }
}

#[tokio::test]
async fn pages_are_followed_inside_the_repository_only() {
    const NEXT: &str = "/v2/team/app/tags/list?last=b&n=2";
    let (tags, asked) = check(|number| match number {
        0 => page(r#"["b","a"]"#, NEXT),
        _ => page(r#"["c","not a tag","../x"]"#, ""),
    })
    .await;
    assert_eq!((tags.unwrap(), asked), (vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], 2));
    let (tags, asked) = check(|_| page(r#"["a"]"#, NEXT)).await;
    assert_eq!((tags.unwrap(), asked), (vec!["a".to_owned()], 2), "the same page for ever");
    let (tags, asked) = check(|number| page(&format!(r#"["t{number}"]"#), NEXT)).await;
    assert!(matches!(tags, Err(ScanError::TooLarge { limit: 50, .. })), "new tags for ever: {tags:?}");
    assert_eq!(asked, 51);
    assert_eq!(check(|_| page("null", "")).await.0.unwrap(), Vec::<String>::new());
    for elsewhere in [
        "http://127.0.0.1:1/v2/team/app/tags/list",
        "/v2/other/tags/list",
        "https://example.org/x",
        "http://[",
    ] {
        let (tags, asked) = check(move |_| page(r#"["a"]"#, elsewhere)).await;
        assert!(matches!(tags, Err(ScanError::BadAnswer { .. })), "{elsewhere}: {tags:?}");
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn bad_answers_are_bounded() {
    let endless = || Reply::new(200, "[").stated_length(None).ending(Ending::Endless);
    let (tags, _) = check(move |_| endless()).await;
    assert_eq!(tags.unwrap_err().kind(), ScanErrorKind::LimitExceeded);
    let (tags, _) = check(|_| Reply::new(200, "no json")).await;
    assert!(matches!(tags, Err(ScanError::BadAnswer { .. })), "{tags:?}");
}

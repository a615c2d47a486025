//! The tags of a repository, page by page.

use std::collections::BTreeSet;

use http::header::LINK;
use model::ImageReference;
use reqwest::{Response, Url};
use serde::Deserialize;

use super::connections::authority;
use super::{ByteSpan, RegistryClient};
use crate::error::{BadJson, ScanError};
use crate::load::bounded;
use crate::manifest::null_is_default;
use crate::options::ScanOptions;

/// A page of tags takes no more.
const PAGE_BYTES_MAX: u64 = 4 << 20;
/// How many tags are asked for at once; registries may send fewer, or all.
const PAGE_TAGS: usize = 1000;
const PAGES_MAX: usize = 1000;

/// What a registry answers.
///
/// Source: <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-tags>.
#[derive(Deserialize)]
struct RawTags {
    #[serde(default, deserialize_with = "null_is_default")]
    tags: Vec<String>,
}

/// Lists the tags of a repository, sorted; `None`: the registry has no such repository.
///
/// Errors: there are more than `tags_max`, besides everything that can go wrong at a registry. What is no tag by the rules
/// of references is left out: it could not be asked for.
pub async fn list_tags(
    repository: &ImageReference,
    tags_max: usize,
    options: &ScanOptions,
) -> Result<Option<Vec<String>>, ScanError> {
    bounded(options, async {
        let client = RegistryClient::new(repository, &options.registry)?;
        let name = format!("{}/{}", repository.registry(), repository.repository());
        let tags = client.tags(&name, tags_max).await?;
        let is_tag = |tag: &String| {
            let reference = format!("{name}:{tag}").parse::<ImageReference>();
            reference.is_ok_and(|reference| reference.tag() == Some(tag))
        };
        Ok(tags.map(|tags| tags.into_iter().filter(is_tag).collect()))
    })
    .await
}

impl RegistryClient {
    async fn tags(&self, name: &str, tags_max: usize) -> Result<Option<BTreeSet<String>>, ScanError> {
        let what = format!("tags of `{name}`");
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/tags/list", self.repository));
        url.query_pairs_mut().append_pair("n", &PAGE_TAGS.min(tags_max.saturating_add(1)).to_string());
        let mut tags = BTreeSet::new();
        for _ in 0..PAGES_MAX {
            let Some(answer) = self.get_address(url, "application/json", ByteSpan::default(), &what).await?
            else {
                return Ok((!tags.is_empty()).then_some(tags));
            };
            let next = self.next_page(&answer.response, &what)?;
            let host = authority(answer.response.url());
            let body = self.transport.read_document(answer.response, PAGE_BYTES_MAX, &what).await?;
            let page: RawTags = serde_json::from_slice(&body).map_err(|error| ScanError::BadAnswer {
                host,
                what: what.clone(),
                problem: BadJson::new(&error, true).to_string(),
            })?;
            let before = tags.len();
            tags.extend(page.tags);
            if tags.len() > tags_max {
                return Err(too_many(what, tags.len(), tags_max));
            }
            match next {
                // A page that adds nothing would be followed by itself.
                Some(next) if tags.len() > before => url = next,
                _ => return Ok(Some(tags)),
            }
        }
        Err(too_many(what, tags.len(), tags_max))
    }

    /// Where the next page is: in the same repository of the same registry, or nowhere.
    fn next_page(&self, response: &Response, what: &str) -> Result<Option<Url>, ScanError> {
        let links = response.headers().get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let Some(target) = links.flat_map(|text| text.split(',')).find_map(next_target) else {
            return Ok(None);
        };
        let bad = |problem: &str| ScanError::BadAnswer {
            host: self.registry.clone(),
            what: what.to_owned(),
            problem: problem.to_owned(),
        };
        let next = self.base.join(target).map_err(|_| bad("the next page has an unreadable address"))?;
        let path = format!("/v2/{}/tags/list", self.repository);
        if next.origin() != self.base.origin() || next.path() != path {
            return Err(bad("the next page is not in this repository"));
        }
        Ok(Some(next))
    }
}

pub(super) fn is_next(link: &str) -> bool {
    link.split(',').any(|link| next_target(link).is_some())
}

pub(super) fn is_page(body: &[u8]) -> bool {
    serde_json::from_slice::<RawTags>(body).is_ok()
}

fn too_many(what: String, actual: usize, limit: usize) -> ScanError {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    ScanError::TooLarge { what, actual: number(actual), limit: number(limit), unit: "tags" }
}

/// The target of `<target>; rel="next"`. Commas in targets are not written by registries: they escape them.
fn next_target(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    });
    is_next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_to_the_next_page_is_found() {
        for (link, expected) in [
            (r#"</v2/a/tags/list?last=b&n=2>; rel="next""#, Some("/v2/a/tags/list?last=b&n=2")),
            ("<https://h/v2/a/tags/list?n=2>;rel=next", Some("https://h/v2/a/tags/list?n=2")),
            (r#"</x>; title="t"; Rel="Next""#, Some("/x")),
            (r#"</x>; rel="prev""#, None),
            ("/x; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_target(link), expected, "{link}");
        }
    }
}

//! Reading image records.

use std::collections::BTreeMap;

use model::{Digest, ImageReference};
use storage::{Row, from_micros};

use super::{AnalysisStatus, AnalysisSummary, ImageRecord, ImageStatus, PullString, TagRecord};
use crate::{Engine, StorageError};

/// Which images.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ImageFilter {
    /// Those of the account that a list asks for.
    All(ImageList),
    /// The one of this digest, or those of this index.
    Digest(Digest),
    /// Those of these digests; a few hundred at most.
    Several(Vec<Digest>),
    /// Those of this configuration.
    ImageId(Digest),
    /// The one that the tag names now.
    Tag(ImageReference),
    /// All that the tag has named.
    TagHistory(ImageReference),
    /// The one of this digest, if it was seen in this repository.
    InRepository(ImageReference),
}

/// Which part of an account's images a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ImageList {
    /// Only these; `None` is all.
    pub image_status: Option<ImageStatus>,
    /// Only these; `None` is all.
    pub analysis_status: Option<AnalysisStatus>,
    /// At most so many; `None` is no end.
    pub limit: Option<u32>,
    /// Leaves out so many of the newest.
    pub offset: u32,
}

impl ImageFilter {
    /// What a pull string asks for.
    pub fn from_pull_string(pull_string: PullString, history: bool) -> Self {
        match pull_string {
            PullString::Digest(digest) => Self::Digest(digest),
            PullString::ImageId(id) => Self::ImageId(id),
            PullString::Reference(reference) if reference.digest().is_some() => Self::InRepository(reference),
            PullString::Reference(reference) if history => Self::TagHistory(reference),
            PullString::Reference(reference) => Self::Tag(reference),
        }
    }
}

const COLUMNS: &str = "SELECT i.account, i.digest, i.parent_digest, i.image_id, i.analysis_status, i.image_status, \
    i.analysis_error, i.annotations, i.dockerfile, i.created_us, i.updated_us, i.analyzed_us, a.architecture, a.distro, \
    a.distro_version, a.dockerfile_mode, a.guessed_dockerfile, coalesce(a.unpacked_bytes, a.size_bytes) AS size_bytes, \
    a.layer_count";
const ANALYSIS: &str =
    "LEFT JOIN analyses a ON a.digest = i.digest AND (a.imported_by IS NULL OR a.imported_by = i.account)";
/// The `+` keeps SQLite from walking through all images in this order to find the few that are wanted.
const NEWEST_FIRST: &str = "ORDER BY +i.created_us DESC";
const TAG_JOIN: &str = "JOIN image_tags t ON t.account = i.account AND t.digest = i.digest \
    AND t.registry = $2 AND t.repository = $3";

impl Engine {
    /// The images that a filter names, newest first.
    pub async fn find_images(
        &self,
        account: &str,
        filter: &ImageFilter,
    ) -> Result<Vec<ImageRecord>, StorageError> {
        let rows = self.select_images(account, filter).await.map_err(StorageError::at("find images"))?;
        let mut records = rows.iter().map(read_image).collect::<Result<Vec<_>, _>>()?;
        let mut tags = self.tags_of(account, &records).await?;
        for record in &mut records {
            record.tags = tags.remove(&record.digest).unwrap_or_default();
        }
        Ok(records)
    }

    async fn select_images(&self, account: &str, filter: &ImageFilter) -> Result<Vec<Row>, sqlx::Error> {
        let (sql, values) = match filter {
            ImageFilter::All(list) => return self.select_list(account, list).await,
            ImageFilter::Digest(digest) => {
                let own = storage::query_built(format!(
                    "{COLUMNS} FROM images i {ANALYSIS} WHERE i.account = $1 AND i.digest = $2"
                ));
                let own = own.bind(account).bind(digest.to_string()).fetch_all(&self.storage).await?;
                if !own.is_empty() {
                    return Ok(own);
                }
                (
                    format!(
                        "{COLUMNS} FROM images i {ANALYSIS} WHERE i.account = $1 AND i.parent_digest = $2 {NEWEST_FIRST} LIMIT 1"
                    ),
                    vec![digest.to_string()],
                )
            }
            ImageFilter::Several(digests) if digests.is_empty() => return Ok(Vec::new()),
            ImageFilter::Several(digests) => {
                let places = storage::places(2, digests.len());
                let sql = format!(
                    "{COLUMNS} FROM images i {ANALYSIS} WHERE i.account = $1 AND i.digest IN ({places}) {NEWEST_FIRST}"
                );
                (sql, digests.iter().map(Digest::to_string).collect())
            }
            ImageFilter::ImageId(id) => (
                format!(
                    "{COLUMNS} FROM images i {ANALYSIS} WHERE i.account = $1 AND i.image_id = $2 {NEWEST_FIRST} LIMIT 1"
                ),
                vec![id.to_string()],
            ),
            ImageFilter::Tag(reference) | ImageFilter::TagHistory(reference) => {
                let limit = if matches!(filter, ImageFilter::Tag(_)) { "LIMIT 1" } else { "" };
                let tag = reference.tag().unwrap_or_default().to_owned();
                (
                    format!(
                        "{COLUMNS} FROM images i {ANALYSIS} {TAG_JOIN} AND t.tag = $4 WHERE i.account = $1 AND i.image_status = 'active' \
                         ORDER BY t.detected_us DESC, i.digest {limit}"
                    ),
                    vec![reference.registry().to_owned(), reference.repository().to_owned(), tag],
                )
            }
            ImageFilter::InRepository(reference) => {
                let digest = reference.digest().map(ToString::to_string).unwrap_or_default();
                (
                    format!(
                        "{COLUMNS} FROM images i {ANALYSIS} {TAG_JOIN} WHERE i.account = $1 AND i.image_status = 'active' AND i.digest = $4 LIMIT 1"
                    ),
                    vec![reference.registry().to_owned(), reference.repository().to_owned(), digest],
                )
            }
        };
        let mut query = storage::query_built(sql).bind(account.to_owned());
        for value in values {
            query = query.bind(value);
        }
        query.fetch_all(&self.storage).await
    }

    async fn select_list(&self, account: &str, list: &ImageList) -> Result<Vec<Row>, sqlx::Error> {
        let ImageList { image_status, analysis_status, limit, offset } = *list;
        storage::query_built(format!(
            // What is left out is counted in the index alone.
            "{COLUMNS} FROM (SELECT account, digest FROM images WHERE account = $1 AND ($2 = '' OR image_status = $2) \
               AND ($3 = '' OR analysis_status = $3) ORDER BY created_us DESC, digest DESC LIMIT $4 OFFSET $5) page \
             JOIN images i ON i.account = page.account AND i.digest = page.digest {ANALYSIS} {NEWEST_FIRST}, i.digest DESC"
        ))
        .bind(account)
        .bind(image_status.map_or("", ImageStatus::name))
        .bind(analysis_status.map_or("", AnalysisStatus::name))
        .bind(limit.map_or(i64::MAX, i64::from))
        .bind(offset)
        .fetch_all(&self.storage)
        .await
    }

    async fn tags_of(
        &self,
        account: &str,
        records: &[ImageRecord],
    ) -> Result<BTreeMap<Digest, Vec<TagRecord>>, StorageError> {
        const TAGS: &str = "SELECT digest, registry, repository, tag, created_us, updated_us, detected_us \
            FROM image_tags WHERE account = $1";
        const LAST_FIRST: &str = "ORDER BY detected_us DESC, registry, repository, tag";
        // One image and a page are asked for by the index; a long list takes all tags of the account in one go.
        const LISTED_MAX: usize = 500;
        let rows = match records {
            [] => return Ok(BTreeMap::new()),
            [one] => {
                storage::query_built(format!("{TAGS} AND digest = $2 {LAST_FIRST}"))
                    .bind(account)
                    .bind(one.digest.to_string())
                    .fetch_all(&self.storage)
                    .await
            }
            few if few.len() <= LISTED_MAX => {
                let places = storage::places(2, few.len());
                let sql = format!("{TAGS} AND digest IN ({places}) {LAST_FIRST}");
                let query = storage::query_built(sql).bind(account);
                few.iter()
                    .fold(query, |query, image| query.bind(image.digest.to_string()))
                    .fetch_all(&self.storage)
                    .await
            }
            _ => {
                storage::query_built(format!("{TAGS} {LAST_FIRST}"))
                    .bind(account)
                    .fetch_all(&self.storage)
                    .await
            }
        }
        .map_err(StorageError::at("read tags"))?;
        let mut tags: BTreeMap<Digest, Vec<TagRecord>> = BTreeMap::new();
        for row in &rows {
            let (digest, tag) = read_tag(row).map_err(StorageError::at("read a tag"))?;
            tags.entry(digest).or_default().push(tag);
        }
        Ok(tags)
    }
}

type ReadError = Box<dyn std::error::Error + Send + Sync>;

fn read_image(row: &Row) -> Result<ImageRecord, StorageError> {
    let read = || -> Result<ImageRecord, ReadError> {
        let status: String = row.get("analysis_status")?;
        let image_status: String = row.get("image_status")?;
        let architecture: Option<String> = row.get("architecture")?;
        let summary = match architecture {
            None => None,
            Some(architecture) => Some(AnalysisSummary {
                architecture,
                distro: row.get("distro")?,
                distro_version: row.get("distro_version")?,
                dockerfile_mode: row.get("dockerfile_mode")?,
                guessed_dockerfile: row.get("guessed_dockerfile")?,
                size_bytes: row.get("size_bytes")?,
                layer_count: row.get("layer_count")?,
            }),
        };
        Ok(ImageRecord {
            account: row.get("account")?,
            digest: row.get::<String>("digest")?.parse()?,
            parent_digest: row.get::<String>("parent_digest")?.parse()?,
            image_id: row.get::<String>("image_id")?.parse()?,
            status: AnalysisStatus::from_name(&status)
                .ok_or_else(|| format!("analysis status `{status}` is unknown"))?,
            image_status: ImageStatus::from_name(&image_status)
                .ok_or_else(|| format!("image status `{image_status}` is unknown"))?,
            analysis_error: row.get("analysis_error")?,
            annotations: serde_json::from_str(&row.get::<String>("annotations")?)?,
            dockerfile: row.get("dockerfile")?,
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
            analyzed_at: row.get::<Option<i64>>("analyzed_us")?.map(from_micros),
            summary,
            tags: Vec::new(),
        })
    };
    read().map_err(StorageError::at("read an image record"))
}

fn read_tag(row: &Row) -> Result<(Digest, TagRecord), ReadError> {
    let tag: String = row.get("tag")?;
    let record = TagRecord {
        registry: row.get("registry")?,
        repository: row.get("repository")?,
        tag: (!tag.is_empty()).then_some(tag),
        created_at: from_micros(row.get("created_us")?),
        updated_at: from_micros(row.get("updated_us")?),
        detected_at: from_micros(row.get("detected_us")?),
    };
    Ok((row.get::<String>("digest")?.parse()?, record))
}

//! What the program decides about feeds.

use advisory_feeds::FeedLimits;
use advisory_feeds::fetch::FetchSettings;
use advisory_feeds::sources::FeedSource;

/// The settings of feeds.
#[derive(Debug, Clone, Default)]
pub struct FeedSettings {
    /// Whether sources are asked by themselves. `false`: only when somebody asks for it.
    pub is_fetching: bool,
    /// Where data comes from, as checked by [`advisory_feeds::sources::check`].
    pub sources: Vec<FeedSource>,
    /// Limits, patience, proxies of fetching.
    pub fetch: FetchSettings,
    /// How much a feed may hold.
    pub limits: FeedLimits,
}

//! `/event_types`: which events there are, by category.

use serde_json::{Value, json};

use super::answer::{Answer, ok};
use super::call::Call;

/// A kind of event: the rest of its type, its message, and what it is about.
type Kind = (&'static str, &'static str, &'static str);

struct Subcategory {
    name: &'static str,
    description: &'static str,
    kinds: &'static [Kind],
}

struct Category {
    name: &'static str,
    description: &'static str,
    subcategories: &'static [Subcategory],
}

const CATEGORIES: &[Category] = &[
    Category {
        name: "system",
        description: "What the engine does on its own: changes of state and work in the background",
        subcategories: SYSTEM,
    },
    Category {
        name: "user",
        description: "What users care about: their images, policies and verdicts",
        subcategories: USER,
    },
];

const SYSTEM: &[Subcategory] = &[
    Subcategory {
        name: "analysis_archive",
        description: "Events about the archive of analyses",
        kinds: &[
            ("image_archived", "Analyzed image added to archive", "image_digest"),
            ("image_archive_failed", "Analyzed image migration to archive failed", "image_digest"),
            ("archived_image_deleted", "Archived image analysis deleted", "image_digest"),
            ("archived_image_delete_failed", "Archived image analysis deletion failed", "image_digest"),
        ],
    },
    Subcategory {
        name: "feeds",
        description: "Events about the update of vulnerability data",
        kinds: &[
            ("sync.started", "Feeds sync task started", "feeds"),
            ("sync.completed", "Feeds sync task completed", "feeds"),
            ("sync.failed", "Feeds sync task failed", "feeds"),
            ("sync.feed_started", "Feed sync started", "feed"),
            ("sync.feed_completed", "Feed sync completed", "feed"),
            ("sync.feed_failed", "Feed sync failed", "feed"),
            ("sync.group_started", "Feed group sync started", "feed_group"),
            ("sync.group_completed", "Feed group sync completed", "feed_group"),
            ("sync.group_failed", "Feed group sync failed", "feed_group"),
        ],
    },
    Subcategory {
        name: "image_analysis",
        description: "Events about adding and analyzing images",
        kinds: &[
            ("registry_lookup_failed", "Referenced image not found in registry", "image_reference"),
            ("failed", "Failed to analyze image", "image_digest"),
            ("completed", "Image successfully analyzed", "image_tag"),
            ("catalog_save_failed", "Failed to load image analysis from analyzer to catalog", "image_digest"),
            (
                "policy_engine_load_failed",
                "Failed to load image analysis from analyzer to policy engine",
                "image_digest",
            ),
            ("restored_from_archive", "Archived image restored to active images", "image_digest"),
            ("restore_from_archive_failed", "Archived image restore to active images failed", "image_digest"),
            ("manifest_parse_fail", "Failed to parse image manifest for tag", "image_tag"),
        ],
    },
    Subcategory {
        name: "repository",
        description: "Events about watched repositories",
        kinds: &[("list_tags_fail", "Failed to list tags in repository", "repository")],
    },
    Subcategory {
        name: "service",
        description: "Events about the parts of the engine",
        kinds: &[
            ("state_transition.orphaned", "Service orphaned", "service"),
            ("state_transition.down", "Service down", "service"),
            ("removed", "Service removed", "service"),
            ("authz_plugin_healthcheck_failed", "Configured authz plugin failing health check", "service"),
        ],
    },
];

const USER: &[Subcategory] = &[
    Subcategory {
        name: "checks",
        description: "Events about verdicts and findings",
        kinds: &[
            ("tag.vulnerabilities.update", "Vulnerability update detected for tagged image", "image_tag"),
            (
                "tag.policy_evaluation.update",
                "Policy evaluation update detected for a tagged image",
                "image_tag",
            ),
        ],
    },
    Subcategory {
        name: "image",
        description: "Events about the state of images",
        kinds: &[
            ("analysis.failed", "Failed to analyze image", "image_tag"),
            ("analysis.completed", "Image analysis available", "image_tag"),
        ],
    },
    Subcategory {
        name: "policy",
        description: "Events about policy bundles",
        kinds: &[
            ("active.updated", "Active policy bundle updated to a different bundle", "policy_bundle"),
            ("active.content_change", "Active policy bundle content changed", "policy_bundle"),
        ],
    },
];

/// `GET /event_types`.
pub(super) async fn list(_call: Call) -> Answer {
    let categories: Vec<Value> = CATEGORIES
        .iter()
        .map(|category| {
            let subcategories: Vec<Value> = category
                .subcategories
                .iter()
                .map(|subcategory| subcategory_wire(category.name, subcategory))
                .collect();
            json!({
                "name": category.name,
                "description": category.description,
                "subcategories": subcategories,
            })
        })
        .collect();
    ok(&categories)
}

fn subcategory_wire(category: &str, subcategory: &Subcategory) -> Value {
    let events: Vec<Value> = subcategory
        .kinds
        .iter()
        .map(|(name, message, resource)| {
            json!({
                "name": name,
                "type": format!("{category}.{}.{name}", subcategory.name),
                "message": message,
                "resource_type": resource,
            })
        })
        .collect();
    json!({"name": subcategory.name, "description": subcategory.description, "events": events})
}

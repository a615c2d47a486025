//! Gate `ruby_gems`: asks about Ruby gems.

use model::PackageKind;

use super::published_packages::{
    REFUSED_PARAMETERS, Registry, build_feed_missing, build_not_latest, build_refused, build_unknown,
    build_unknown_version,
};
use super::{Gate, Trigger};

static REGISTRY: Registry = Registry {
    kind: PackageKind::Gem,
    feed: |feeds| feeds.gem.as_ref(),
    name: "Gem",
    name_upper: "GEM",
    name_lower: "gem",
    newer_version_prefix: "",
};

pub(super) const GATE: Gate = Gate {
    name: "ruby_gems",
    description: "Asks about Ruby gems and about what their public registry says.",
    triggers: &[
        Trigger {
            name: "newer_version_found_in_feed",
            description: "Fires for each installed version that is not the newest one of the registry.",
            parameters: &[],
            is_unconditional: false,
            build: |_, _| build_not_latest(&REGISTRY),
        },
        Trigger {
            name: "not_found_in_feed",
            description: "Fires for each installed package that the registry does not know, when it knows another one.",
            parameters: &[],
            is_unconditional: false,
            build: |_, _| build_unknown(&REGISTRY),
        },
        Trigger {
            name: "version_not_found_in_feed",
            description: "Fires for each installed version that the registry does not know, of a package that it knows.",
            parameters: &[],
            is_unconditional: false,
            build: |_, _| build_unknown_version(&REGISTRY),
        },
        Trigger {
            name: "blacklist",
            description: "Fires when the package is installed, in the given version where there is one.",
            parameters: REFUSED_PARAMETERS,
            is_unconditional: false,
            build: |values, _| build_refused(&REGISTRY, &values),
        },
        Trigger {
            name: "feed_data_unavailable",
            description: "Fires when there are such packages and there is no data of their registry.",
            parameters: &[],
            is_unconditional: false,
            build: |_, _| build_feed_missing(&REGISTRY),
        },
    ],
};

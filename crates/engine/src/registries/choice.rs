//! Which registry record is for an image.

use model::ImageReference;

use super::RegistryRecord;

/// The longest record that is the image's registry, or its registry and repository, or the beginning of those before `*`.
pub(super) fn choose<'a>(
    records: &'a [RegistryRecord],
    reference: &ImageReference,
) -> Option<&'a RegistryRecord> {
    let host = reference.registry();
    // Docker Hub's own images have a word in front that people leave out.
    let names =
        [format!("{host}/{}", reference.repository()), format!("{host}/{}", reference.registry_repository())];
    let is_for = |record: &&RegistryRecord| {
        let registry = with_known_host(&record.registry);
        match registry.strip_suffix('*') {
            Some(prefix) => names.iter().any(|name| name.starts_with(prefix)),
            None => registry == host || names.contains(&registry),
        }
    };
    records.iter().filter(is_for).max_by_key(|record| record.registry.len())
}

/// The many names of Docker Hub are one; hosts are the same in any case.
fn with_known_host(registry: &str) -> String {
    let (host, rest) = registry.split_at(registry.find('/').unwrap_or(registry.len()));
    let host = host.to_ascii_lowercase();
    let host = match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => model::DOCKER_HUB,
        other => other,
    };
    format!("{host}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_record_that_fits_is_taken() {
        let record = |registry: &str| RegistryRecord {
            account: "a".to_owned(),
            registry: registry.to_owned(),
            name: String::new(),
            kind: None,
            user: String::new(),
            verify: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            updated_at: jiff::Timestamp::UNIX_EPOCH,
        };
        for (records, image, expected) in [
            (
                &["h:5000", "h:5000/team/app", "h:5000/team/*"][..],
                "h:5000/team/app:1",
                Some("h:5000/team/app"),
            ),
            (&["h:5000", "h:5000/team/*"], "h:5000/team/other", Some("h:5000/team/*")),
            (&["h:5000", "h:5000/team/*"], "h:5000/teams/other", Some("h:5000")),
            (&["h:5000/team"], "h:5000/team/app", None),
            (&["h:5000"], "h:5001/team/app", None),
            (&["h.example"], "h.example.evil/team/app", None),
            (&["h.example*"], "h.example/app", Some("h.example*")),
            (&["*"], "h.example/app", Some("*")),
            (&["H.Example"], "h.example/app", Some("H.Example")),
            (&["docker.io/library/*"], "nginx", Some("docker.io/library/*")),
            (&["docker.io/nginx"], "nginx", Some("docker.io/nginx")),
            (&["index.docker.io"], "team/app", Some("index.docker.io")),
        ] {
            let records: Vec<RegistryRecord> = records.iter().map(|registry| record(registry)).collect();
            let chosen = choose(&records, &image.parse().unwrap()).map(|record| record.registry.as_str());
            assert_eq!(chosen, expected, "{image}");
        }
    }
}

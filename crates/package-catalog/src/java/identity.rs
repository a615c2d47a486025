//! Which package of Maven an archive is, by what it says about itself.
//!
//! Maven properties that fit the name of the file or the manifest come first, then the name of the file with the manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{ArchiveFacts, Coordinates};
use super::file_name::FileName;
use super::groups;

const JENKINS_GROUP: &str = "org.jenkins-ci.plugins";
/// Where versions stand in a manifest, the best first.
const VERSION_KEYS: [&str; 4] =
    ["Implementation-Version", "Specification-Version", "Bundle-Version", "Plugin-Version"];
/// Groups are domain names turned round.
const DOMAINS: [&str; 32] = [
    "ai", "app", "at", "be", "biz", "br", "ca", "ch", "cn", "co", "com", "cz", "de", "dev", "edu", "es",
    "eu", "fi", "fr", "gov", "info", "io", "it", "jp", "me", "net", "nl", "org", "pl", "ru", "se", "uk",
];

/// What one archive is, and what else was put into it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) main: Option<Coordinates>,
    pub(super) others: Vec<Coordinates>,
}

/// The values of a manifest that say something.
struct Manifest<'a>(Option<&'a BTreeMap<String, String>>);

impl<'a> Manifest<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        let value = self.0?.get(key)?.trim();
        (!value.is_empty() && !value.contains("${")).then_some(value)
    }

    /// A value that may be part of coordinates: one word.
    fn word(&self, key: &str) -> Option<&'a str> {
        self.get(key).filter(|value| !value.contains(|it: char| it.is_whitespace() || it == '/'))
    }

    /// What stands before directives.
    fn symbolic_name(&self) -> Option<&'a str> {
        let value = self.get("Bundle-SymbolicName")?;
        value.split(';').next().map(str::trim).filter(|name| !name.contains(char::is_whitespace))
    }

    /// A version may have a date or a revision behind it.
    fn version(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.split_ascii_whitespace().next()
    }
}

/// Sorts out what an archive says. `path` is that of its file, with the path in the file behind a colon.
pub(super) fn identify(facts: &ArchiveFacts, path: &str) -> Identity {
    let file = FileName::of(path);
    let manifest = Manifest(facts.manifest.as_ref());
    let folder = facts.folder.as_deref();
    let mut stated: Vec<Coordinates> = facts.properties.iter().map(without_placeholders).collect();
    let mut known: BTreeSet<String> = stated.iter().map(|it| it.artifact.clone()).collect();
    for pom in &facts.poms {
        let pom = without_placeholders(&pom.coordinates);
        if known.insert(pom.artifact.clone()) {
            stated.push(pom);
        }
    }
    stated.retain(|it| !it.artifact.is_empty());
    stated.sort();
    stated.dedup();
    let is_instrumentation = facts.manifest.as_ref().is_some_and(|it| it.contains_key("Weave-Classes"));
    let main_at = best_fit(&stated, &file, &manifest);
    let own = main_at.map(|at| stated.remove(at));
    let main = match own {
        _ if is_instrumentation => None,
        Some(own) => Some(complete(own, &file, &manifest, folder)),
        None => jenkins_plugin(&manifest, path).or_else(|| by_manifest_and_name(&file, &manifest, folder)),
    };
    stated.retain(|it| Some(it) != main.as_ref());
    Identity { main, others: stated }
}

fn without_placeholders(stated: &Coordinates) -> Coordinates {
    let known = |value: &str| if value.contains("${") { String::new() } else { value.trim().to_owned() };
    let Coordinates { group, artifact, version } = stated;
    Coordinates { group: known(group), artifact: known(artifact), version: known(version) }
}

/// The coordinates that are those of the archive itself.
fn best_fit(stated: &[Coordinates], file: &FileName<'_>, manifest: &Manifest<'_>) -> Option<usize> {
    let fit = |it: &Coordinates| -> usize {
        let artifact = it.artifact.as_str();
        if artifact == file.name {
            return 4;
        }
        let behind = file.stem.strip_prefix(artifact).and_then(|rest| rest.strip_prefix('-'));
        if behind.is_some_and(|rest| !it.version.is_empty() && rest.starts_with(&it.version)) {
            return 4;
        }
        if is_named_by(manifest, it) {
            return 3;
        }
        // Distros put a number into the name, `maven3-core`.
        let letters = |name: &str| name.replace(|it: char| it.is_ascii_digit(), "");
        if letters(artifact) == letters(file.name) {
            return 2;
        }
        // Renamed files: the artifact with a word more or less.
        let is_longer = |long: &str, short: &str| {
            long.strip_prefix(short).is_some_and(|rest| rest.starts_with(['-', '_', '.'])) && short.len() > 2
        };
        if is_longer(file.name, artifact) || is_longer(artifact, file.name) {
            return 2;
        }
        // The only one, with the version that the manifest has too, or where there is no other version.
        let mut versions = VERSION_KEYS.into_iter().filter_map(|key| manifest.version(key)).peekable();
        let is_nameless = file.version.is_none() && versions.peek().is_none();
        usize::from(stated.len() == 1 && (is_nameless || versions.any(|version| version == it.version)))
    };
    let fits = stated.iter().enumerate().map(|(at, it)| (fit(it), it.artifact.len(), at));
    fits.filter(|(fit, ..)| *fit > 0)
        .max_by_key(|(fit, length, at)| (*fit, *length, usize::MAX - at))
        .map(|it| it.2)
}

/// Whether the manifest calls the archive by the name of this artifact.
fn is_named_by(manifest: &Manifest<'_>, it: &Coordinates) -> bool {
    let is_symbolic = manifest.symbolic_name().is_some_and(|name| {
        name == it.artifact
            || name
                .strip_prefix(it.group.as_str())
                .is_some_and(|rest| rest.strip_prefix('.') == Some(&it.artifact))
    });
    let titles =
        ["Implementation-Title", "Specification-Title", "Extension-Name", "Short-Name", "Artifact-Id"];
    is_symbolic || titles.iter().any(|key| manifest.get(key) == Some(&it.artifact))
}

/// Coordinates with what they do not say taken from elsewhere.
fn complete(
    mut own: Coordinates,
    file: &FileName<'_>,
    manifest: &Manifest<'_>,
    folder: Option<&str>,
) -> Coordinates {
    // `mssql-jdbc-10.2.1.jre8.jar`: one release for each version of Java.
    let is_for_java = |released: &&str| {
        own.artifact == file.name
            && released.strip_prefix(own.version.as_str()).is_some_and(|rest| rest.starts_with(".jre"))
    };
    if let Some(released) = file.version.filter(is_for_java).filter(|_| !own.version.is_empty()) {
        released.clone_into(&mut own.version);
    }
    if own.version.is_empty() {
        own.version = version(file, manifest).unwrap_or_default();
    }
    if own.group.is_empty() {
        own.group = group(&own.artifact, &own.version, manifest, folder).unwrap_or_default();
    }
    own
}

/// A plugin of Jenkins says so in its manifest.
fn jenkins_plugin(manifest: &Manifest<'_>, path: &str) -> Option<Coordinates> {
    let version = manifest.version("Plugin-Version")?;
    let is_plugin_file = path.ends_with(".hpi") || path.ends_with(".jpi");
    let artifact =
        manifest.word("Short-Name").or_else(|| manifest.word("Extension-Name").filter(|_| is_plugin_file))?;
    let group = manifest.word("Group-Id").unwrap_or(JENKINS_GROUP);
    Some(Coordinates { group: group.into(), artifact: artifact.into(), version: version.into() })
}

fn by_manifest_and_name(
    file: &FileName<'_>,
    manifest: &Manifest<'_>,
    folder: Option<&str>,
) -> Option<Coordinates> {
    // An archive of anything, about which nothing is said.
    if manifest.0.is_none() && file.version.is_none() {
        return None;
    }
    if manifest.get("Implementation-Title") == Some("Apache Tomcat")
        && let Some(artifact) = groups::artifact_of_tomcat(file.name)
    {
        let version = manifest.version("Implementation-Version").unwrap_or_default().to_owned();
        return Some(Coordinates { group: "org.apache.tomcat".into(), artifact: artifact.into(), version });
    }
    if let Some(titled) = titled(file, manifest) {
        return Some(titled);
    }
    let artifact = match file.version {
        Some(_) => file.name.to_owned(),
        None => artifact_of_manifest(file, manifest).unwrap_or(file.name).to_owned(),
    };
    let version = version(file, manifest).unwrap_or_default();
    let group = group(&artifact, &version, manifest, folder).unwrap_or_default();
    (!artifact.is_empty()).then_some(Coordinates { group, artifact, version })
}

/// Builders around Gradle write all of it into the title: `io.micrometer#micrometer-core;1.9.5`.
fn titled(file: &FileName<'_>, manifest: &Manifest<'_>) -> Option<Coordinates> {
    let (group, rest) = manifest.word("Implementation-Title")?.split_once('#')?;
    let (artifact, version) = rest.split_once(';')?;
    // A title that was taken over from elsewhere names another artifact than the file.
    let is_own = file.version.is_none() || artifact == file.name;
    (is_own && !group.is_empty() && !artifact.is_empty() && !version.is_empty()).then(|| Coordinates {
        group: group.into(),
        artifact: artifact.into(),
        version: version.into(),
    })
}

/// A name in the manifest that is one of an artifact: `group.artifact` behind the vendor's id, or the name of the file.
fn artifact_of_manifest<'a>(file: &FileName<'_>, manifest: &Manifest<'a>) -> Option<&'a str> {
    let symbolic = manifest.symbolic_name();
    let vendor = manifest.word("Implementation-Vendor-Id");
    let by_vendor =
        symbolic.zip(vendor).and_then(|(name, vendor)| name.strip_prefix(vendor)?.strip_prefix('.'));
    let is_artifact = |name: &&str| {
        name.len() > 1
            && name.contains('-')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    // The name of the file is one already, when the bundle or module has a word of it: `mysql-connector-j` and `com.mysql.cj`.
    let names = [symbolic, manifest.word("Automatic-Module-Name")];
    let is_known = |word: &str| {
        let mut parts = names.into_iter().flatten().flat_map(|name| name.split(['.', '-', '_']));
        word.len() > 2 && parts.any(|part| part.eq_ignore_ascii_case(word))
    };
    let is_own_name = file.name.split(['-', '_']).any(is_known);
    let by_title =
        manifest.word("Implementation-Title").filter(|title| is_artifact(title) || *title == file.name);
    // Built for one version of Scala: `cats-core_2.13`.
    let is_built_for = |title: &&str| file.name.strip_prefix(title).is_some_and(|rest| rest.starts_with('_'));
    let by_title = by_title.filter(|title| !is_built_for(title));
    let by_last_part = symbolic.and_then(|name| name.rsplit('.').next()).filter(is_artifact);
    manifest.word("Artifact-Id").or(by_title).or(by_vendor.or(by_last_part).filter(|_| !is_own_name))
}

/// The version by the manifest, then by the name of the file. A specification's version has fewer parts than that of the file.
fn version(file: &FileName<'_>, manifest: &Manifest<'_>) -> Option<String> {
    let stated = VERSION_KEYS.into_iter().find_map(|key| {
        let version = manifest.version(key)?;
        let is_version = version.starts_with(|it: char| it.is_ascii_alphanumeric()) && !version.contains('?');
        let is_less = key != VERSION_KEYS[0]
            && file.version.is_some_and(|other| {
                other != version && (other.starts_with(version) || key != "Bundle-Version")
            });
        (is_version && !is_less).then_some(version)
    });
    // A file has the version of its release; a manifest may have been forgotten, or name a build: `1.4.10-release-411`.
    // What bundles add to a version says when they were built: `3.36.0.v20231114-0937`.
    let is_more_exact = |released: &str| {
        let more = stated.and_then(|version| version.strip_prefix(released)?.strip_prefix('.'));
        more.is_some_and(|more| {
            let first = more.split(['.', '-']).next().unwrap_or(more);
            first.len() < 5
                && first.starts_with(|it: char| it.is_ascii_digit())
                && more.bytes().any(|byte| !matches!(byte, b'0' | b'.'))
        })
    };
    let released = file.version.filter(|released| !is_more_exact(released));
    released.or(stated).map(str::to_owned)
}

/// The group of an artifact without Maven properties.
fn group(artifact: &str, version: &str, manifest: &Manifest<'_>, folder: Option<&str>) -> Option<String> {
    let by_folder = folder.and_then(groups::group_of_folder);
    if let Some(group) = by_folder.or_else(|| groups::group_of(artifact, version)) {
        return Some(group.to_owned());
    }
    let is_group = |name: &str| name.split_once('.').is_some_and(|(domain, _)| DOMAINS.contains(&domain));
    let named = |key| manifest.word(key).filter(|name| is_group(name));
    let by_symbolic_name = || manifest.symbolic_name().filter(|name| is_group(name));
    let by_class = || {
        let name = named("Main-Class").or_else(|| named("Start-Class"))?;
        let parts: Vec<&str> =
            name.split('.').filter(|part| part.starts_with(char::is_lowercase)).take(3).collect();
        (parts.len() > 1).then(|| parts.join("."))
    };
    let in_name = |name: &str| group_in(name, artifact);
    named("Group-Id")
        .or_else(|| named("Implementation-Vendor-Id"))
        .map(str::to_owned)
        .or_else(|| by_symbolic_name().map(in_name))
        .or_else(|| named("Automatic-Module-Name").map(in_name))
        .or_else(|| named("Extension-Name").map(in_name))
        .or_else(|| folder.filter(|name| is_group(name)).map(in_name))
        .or_else(by_class)
}

/// Who has so many projects that the third part of a name says which one it is.
const UMBRELLAS: [&str; 8] = [
    "com.github",
    "com.google",
    "io.github",
    "org.apache",
    "org.eclipse",
    "org.glassfish",
    "org.jboss",
    "org.springframework",
];

/// The group in the name of a bundle, a module or a package. Builders join group and artifact, and leave out what both have:
/// `org.apache.maven` and `maven-core` give `org.apache.maven.core`.
fn group_in(name: &str, artifact: &str) -> String {
    let words: Vec<&str> = artifact.split(['-', '_']).collect();
    let dotted = words.join(".");
    let Some((front, last)) = name.rsplit_once('.') else { return name.to_owned() };
    let front_last = front.rsplit('.').next().unwrap_or(front);
    if artifact.contains('.') && artifact == name {
        return project_in(name);
    }
    if last == artifact {
        // Without a dash it is most often the last part of the group itself: `com.google.guava`, but `io.reactivex.rxjava3.rxjava`.
        let is_apart = artifact.contains('-') || front_last.starts_with(artifact);
        return if is_apart { front.to_owned() } else { name.to_owned() };
    }
    let whole = name.replace('_', ".");
    if words.len() > 1
        && let Some(before) = whole.strip_suffix(&dotted)
        && before.ends_with('.')
    {
        // The name of the project belongs to both; what has no other name before it has nothing in common.
        let end = whole.len() - last_word(&whole).len() - 1;
        return whole[..end].to_owned();
    }
    // The project's name, with what it calls its parts behind it: `io.micrometer.core` has `micrometer-core`.
    let mut end = 0;
    for part in name.split('.') {
        end += part.len();
        if end > part.len() && part.eq_ignore_ascii_case(words[0]) {
            return name[..end].to_owned();
        }
        end += 1;
    }
    match name.strip_suffix(&dotted).or_else(|| name.strip_suffix(artifact)) {
        Some(group) if group.ends_with('.') && group.matches('.').count() > 1 => {
            group.trim_end_matches('.').to_owned()
        }
        _ => name.to_owned(),
    }
}

fn last_word(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The front of a name that is one of a project: `org.eclipse.emf.ecore` belongs to `org.eclipse.emf`.
fn project_in(name: &str) -> String {
    let is_umbrella =
        UMBRELLAS.iter().any(|umbrella| name.strip_prefix(umbrella).is_some_and(|it| it.starts_with('.')));
    let parts = if is_umbrella { 3 } else { 2 };
    name.split('.').take(parts).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::group_in;

    #[test]
    fn groups_are_found_in_names_of_bundles() {
        for (name, artifact, group) in [
            ("com.fasterxml.jackson.core.jackson-databind", "jackson-databind", "com.fasterxml.jackson.core"),
            ("org.apache.maven.core", "maven-core", "org.apache.maven"),
            ("org.apache.commons.lang3", "commons-lang3", "org.apache.commons"),
            ("com.google.guava", "guava", "com.google.guava"),
            ("org.mockito.mockito-core", "mockito-core", "org.mockito"),
            ("org.example.data.access", "data-access", "org.example.data"),
            ("io.reactivex.rxjava3.rxjava", "rxjava", "io.reactivex.rxjava3"),
            (
                "io.opentelemetry.instrumentation_api",
                "opentelemetry-instrumentation-api",
                "io.opentelemetry.instrumentation",
            ),
            ("org.junit.platform.commons", "junit-platform-commons", "org.junit.platform"),
            ("org.agrona.core", "agrona", "org.agrona"),
            ("io.micrometer.core", "micrometer-core", "io.micrometer"),
            ("org.jetbrains.exposed", "exposed-core", "org.jetbrains.exposed"),
            ("com.stripe", "stripe-java", "com.stripe"),
            ("com.google.re2j", "re2j", "com.google.re2j"),
            ("org.eclipse.emf.ecore", "org.eclipse.emf.ecore", "org.eclipse.emf"),
            ("org.eclipse.lsp4j", "org.eclipse.lsp4j", "org.eclipse.lsp4j"),
            ("org.osgi.core", "org.osgi.core", "org.osgi"),
        ] {
            assert_eq!(group_in(name, artifact), group, "{name}");
        }
    }
}

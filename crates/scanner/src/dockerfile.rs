//! A Dockerfile guessed from the history of an image, for policies that ask about its lines.
//!
//! Choices, because history is not a Dockerfile:
//! - The first line is `FROM` with the base that the label `org.opencontainers.image.base.name` names, else
//!   `FROM scratch`: the history of the base is part of the history, so nothing is left out that way.
//! - An entry of the classic builder (`/bin/sh -c #(nop)  CMD …`) or of BuildKit (`CMD … # buildkit`) becomes the
//!   directive; every other entry was a command or stands for one and becomes `RUN`, so rules about `RUN` see it.
//! - Each entry is one line, whatever line breaks its text has.
//! - `EXPOSE`, `USER` and `HEALTHCHECK` follow from the configuration where the history does not say the same: the
//!   configuration is what a container runs with.

use crate::config::ImageConfig;

const BASE_LABEL: &str = "org.opencontainers.image.base.name";
const DIRECTIVES: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Rebuilds the lines, each ended by a line feed.
pub(crate) fn guess_dockerfile(config: &ImageConfig) -> String {
    let mut lines: Vec<String> =
        config.history.iter().filter_map(|entry| entry.created_by.as_deref()).filter_map(to_line).collect();
    if !lines.first().is_some_and(|line| line.starts_with("FROM ")) {
        lines.insert(0, format!("FROM {}", base(config)));
    }
    let exposed = |port: &String| {
        let bare = port.strip_suffix("/tcp");
        operands(&lines, "EXPOSE")
            .any(|line| line.split_whitespace().any(|token| token == port || Some(token) == bare))
    };
    let missing: Vec<String> =
        config.exposed_ports.iter().filter(|port| !exposed(port)).map(|port| one_line(port)).collect();
    if !missing.is_empty() {
        lines.push(format!("EXPOSE {}", missing.join(" ")));
    }
    let last_user = operands(&lines, "USER").last().unwrap_or("root");
    let user = config.user.as_deref().unwrap_or("root");
    if last_user != user {
        lines.push(format!("USER {}", one_line(user)));
    }
    if config.has_health_check() && operands(&lines, "HEALTHCHECK").next().is_none() {
        lines.push(format!("HEALTHCHECK {}", health_check(&config.health_check)));
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

fn base(config: &ImageConfig) -> &str {
    config
        .labels
        .iter()
        .find(|(key, value)| key == BASE_LABEL && value.parse::<model::ImageReference>().is_ok())
        .map_or("scratch", |(_, value)| value)
}

fn operands<'a>(lines: &'a [String], directive: &'a str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter_map(move |line| {
        let (word, rest) = line.split_once(' ')?;
        (word == directive).then_some(rest.trim())
    })
}

fn to_line(created_by: &str) -> Option<String> {
    let text = one_line(created_by);
    let text = text.strip_suffix("# buildkit").map_or(text.as_str(), str::trim_end);
    if let Some(rest) = text.strip_prefix("/bin/sh -c #(nop)") {
        return directive(rest.trim());
    }
    let word = text.split(' ').next().unwrap_or_default();
    if word != "RUN" && DIRECTIVES.contains(&word) {
        return directive(text);
    }
    if text.is_empty() || text.starts_with('#') {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let command = text.strip_prefix("RUN ").unwrap_or(text);
    // `|2 A=1 B=2 /bin/sh -c …` carries the build arguments.
    let command = match command.starts_with('|') {
        true => command.split_once("/bin/sh -c ").map_or(command, |(_, rest)| rest),
        false => command.strip_prefix("/bin/sh -c ").unwrap_or(command),
    };
    Some(format!("RUN {}", command.trim()))
}

/// BuildKit writes `EXPOSE map[80/tcp:{}]`, a Go value.
fn directive(text: &str) -> Option<String> {
    if let Some(map) = text.strip_prefix("EXPOSE map[").and_then(|rest| rest.strip_suffix(']')) {
        let ports: Vec<&str> = map.split(' ').filter_map(|port| port.strip_suffix(":{}")).collect();
        return Some(format!("EXPOSE {}", ports.join(" ")));
    }
    (!text.is_empty()).then(|| text.to_owned())
}

/// The form of the Dockerfile: `CMD-SHELL` is `CMD` with a text, `CMD` is `CMD` with a list.
fn health_check(test: &[String]) -> String {
    match test {
        [kind, command, ..] if kind == "CMD-SHELL" => format!("CMD {}", one_line(command)),
        [kind, arguments @ ..] if kind == "CMD" => {
            format!("CMD {}", serde_json::Value::from(arguments.to_vec()))
        }
        other => one_line(&other.join(" ")),
    }
}

/// Line breaks and other control characters become single spaces: a heredoc must not look like directives.
fn one_line(text: &str) -> String {
    let spaced: String =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    if spaced == text {
        spaced.trim().to_owned()
    } else {
        spaced.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(history: &[&str], run: serde_json::Value, expected: &[&str]) {
        let history: Vec<_> = history.iter().map(|text| json!({"created_by": text})).collect();
        let document = json!({"rootfs": {}, "config": run, "history": history});
        let config = crate::config::parse_config(document.to_string().as_bytes()).unwrap();
        let text = guess_dockerfile(&config);
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn history_becomes_directives() {
        check(&[], json!({}), &["FROM scratch"]);
        check(
            &[
                "/bin/sh -c #(nop) ADD file:0123 in / ",
                "/bin/sh -c #(nop)  CMD [\"bash\"]",
                "/bin/sh -c apt-get update &&     apt-get install -y curl",
                "|1 VERSION=3 /bin/sh -c make $VERSION",
                "RUN /bin/sh -c apk add x # buildkit",
                "RUN |2 A=1 B=2 /bin/sh -c echo $A # buildkit",
                "COPY . /app # buildkit",
                "EXPOSE map[443/tcp:{} 80/tcp:{}]",
                "bazel build ...",
                "# debian.sh --arch 'amd64' out/ 'bookworm'",
                "",
            ],
            json!({}),
            &[
                "FROM scratch",
                "ADD file:0123 in /",
                "CMD [\"bash\"]",
                "RUN apt-get update &&     apt-get install -y curl",
                "RUN make $VERSION",
                "RUN apk add x",
                "RUN echo $A",
                "COPY . /app",
                "EXPOSE 443/tcp 80/tcp",
                "RUN bazel build ...",
                "# debian.sh --arch 'amd64' out/ 'bookworm'",
            ],
        );
    }

    #[test]
    fn a_text_with_line_breaks_stays_one_line() {
        check(
            &["RUN /bin/sh -c cat <<EOF\nUSER nobody\nEOF # buildkit"],
            json!({}),
            &["FROM scratch", "RUN cat <<EOF USER nobody EOF"],
        );
        check(&["USER app"], json!({}), &["FROM scratch", "USER app", "USER root"]);
        check(&[], json!({"User": "a\nUSER b"}), &["FROM scratch", "USER a USER b"]);
    }

    #[test]
    fn the_configuration_has_the_last_word() {
        let run = json!({"User": "app", "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
            "Healthcheck": {"Test": ["CMD-SHELL", "curl -f localhost"]}});
        check(
            &["/bin/sh -c #(nop)  USER root", "/bin/sh -c #(nop)  EXPOSE 80"],
            run.clone(),
            &[
                "FROM scratch",
                "USER root",
                "EXPOSE 80",
                "EXPOSE 53/udp",
                "USER app",
                "HEALTHCHECK CMD curl -f localhost",
            ],
        );
        check(
            &["USER app", "EXPOSE map[53/udp:{} 80/tcp:{}]", "HEALTHCHECK &{[\"CMD\"]}"],
            run,
            &["FROM scratch", "USER app", "EXPOSE 53/udp 80/tcp", "HEALTHCHECK &{[\"CMD\"]}"],
        );
        let run = json!({"Healthcheck": {"Test": ["CMD", "a", "b"]}});
        check(&[], run, &["FROM scratch", "HEALTHCHECK CMD [\"a\",\"b\"]"]);
    }

    #[test]
    fn the_label_names_the_base_if_it_is_a_name() {
        check(
            &[],
            json!({"Labels": {BASE_LABEL: "docker.io/library/alpine:3.20"}}),
            &["FROM docker.io/library/alpine:3.20"],
        );
        check(&[], json!({"Labels": {BASE_LABEL: "x\nUSER 0"}}), &["FROM scratch"]);
    }
}

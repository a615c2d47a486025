//! Archives out of Maven's repository, where they lie as in the repository.

use anyhow::Result;

use super::Made;
use crate::check_packages::judges::REPOSITORY;
use crate::run::{command, output};

const DEPENDENCIES: [(&str, &str, &str); 8] = [
    ("org.springframework.boot", "spring-boot-starter-web", "2.7.5"),
    ("org.apache.logging.log4j", "log4j-core", "2.14.1"),
    ("commons-io", "commons-io", "2.6"),
    ("commons-collections", "commons-collections", "3.2.1"),
    ("io.netty", "netty-all", "4.1.80.Final"),
    ("org.hibernate", "hibernate-core", "5.6.12.Final"),
    ("com.google.guava", "guava", "31.1-jre"),
    ("org.apache.kafka", "kafka-clients", "3.3.1"),
];

pub(super) fn repository(made: &Made<'_>) -> Result<()> {
    let dependencies: String = DEPENDENCIES
        .iter()
        .map(|(group, artifact, version)| {
            format!("<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>\n")
        })
        .collect();
    let project = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>shop</artifactId>\
         <version>1.0</version><dependencies>\n{dependencies}</dependencies></project>\n"
    );
    fs_err::write(made.scratch.join("pom.xml"), project)?;
    let mut maven = command("mvn");
    maven.current_dir(made.scratch).args(["--quiet", "--batch-mode", "dependency:copy-dependencies"]);
    maven.arg(format!("-DoutputDirectory={}", made.root.join(REPOSITORY).display()));
    output(maven.arg("-Dmdep.useRepositoryLayout=true"))?;
    Ok(())
}

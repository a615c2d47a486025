//! Java: the launcher and the debugger, which say which build they belong to.
//!
//! They name the product, themselves, a short version and a full one; compilers for ARM put the names behind the versions.

use crate::binary::classifier::Condition::{Contains, Lacks, Path};
use crate::binary::classifier::{Classifier, Names, Product, product, rule};

static GRAALVM: Product = product("graalvm", "graalvm", &["oracle:graalvm"]).called("oracle/graalvm");
static GRAALVM_JDK: Product =
    product("graalvm-for-jdk", "graalvm", &["oracle:graalvm_for_jdk"]).called("oracle/graalvm");
static ZULU: Product = product("zulu", "zulu", &["azul:zulu"]).called("azul/zulu");
static OPENJDK: Product = product("openjdk", "openjdk", &["oracle:openjdk"]).called("oracle/openjdk");
static IBM: Product = product("ibm-java", "java", &["ibm:java"]).called("ibm/java");
static IBM_SDK: Product = product("ibm-java-sdk", "java_sdk", &["ibm:java_sdk"]).called("ibm/java_sdk");
static JRE: Product = product("oracle-jre", "jre", &["oracle:jre"]).called("oracle/jre");
static JDK: Product = product("oracle-jdk", "jdk", &["oracle:jdk"]).called("oracle/jdk");

const GRAAL: &str = r"\x00<[0-9][0-9.]*\+[0-9]+-jvmci-[0-9.]+-b[0-9]+>\x00";
/// `1.8.0_352-b08`: release and update have fields of their own.
const UPDATE: &str =
    r"\x00(?:java|jdb)\x00+1\.[0-9]\x00+<«release»1\.[0-9]\.[0-9])_«update»[0-9]+)-[^\x00]{1,40}>\x00";
const UPDATE_BEFORE: &str = r"\x001\.[0-9]\x00+<«release»1\.[0-9]\.[0-9])_«update»[0-9]+)-[^\x00]{1,40}>\x00+openjdk\x00+(?:java|jdb)\x00";
/// Between both may stand what it hands to the machine by itself.
const FULL: &str = r"\x00(?:java|jdb)\x00+[0-9][0-9.]*\x00+(?:-J[^\x00]{1,24}\x00+)?<[0-9][^\x00]{2,60}>\x00";
const FULL_BEFORE: &str = r"\x00[0-9][0-9.]*\x00+<[0-9][^\x00]{2,60}>\x00+openjdk\x00+(?:java|jdb)\x00";
/// IBM's debugger has the folders of its classes between the names and the version.
const IBM_FULL: &str = r"\x00(?:java|jdb)\x00(?:.{0,120}?\x00)?1\.[0-9]\x00+<[0-9][-._a-zA-Z0-9]+>\x00";
const WITH_BUILD: &str = r"\x00<[0-9]+(?:\.[0-9]+)*\+[0-9]+(?:-[0-9]+)?>\x00";
const ORACLE: &str = r"\x00<[0-9]+\.[0-9]+\.[-._+a-zA-Z0-9]+>\x00";
const ORACLE_UPDATE: &str = r"\x00<«release»1\.[0-9]\.[0-9])_«update»[0-9]+)-b[0-9]+>\x00";

const NAMES_AT: &[&str] = &["\0java\0", "\0jdb\0"];
const NUMBER_AT: &[&str] = &["\x001", "\x002", "\x009."];

pub(super) static ROWS: &[Classifier] = &[
    Classifier {
        names: Names::Any(&["java"]),
        rules: &[
            rule(&GRAALVM, &["-jvmci-"], GRAAL).within(48, 32),
            rule(&ZULU, NAMES_AT, FULL).within(0, 96).when(&[Path("zulu")]),
            rule(&ZULU, NAMES_AT, FULL_BEFORE).within(120, 0).when(&[Path("zulu")]),
            rule(&OPENJDK, NAMES_AT, UPDATE).within(0, 96).when(&[Contains("\0openjdk\0")]),
            rule(&OPENJDK, NAMES_AT, UPDATE_BEFORE).within(120, 0).when(&[Contains("\0openjdk\0")]),
            rule(&OPENJDK, NAMES_AT, FULL).within(0, 96).when(&[Contains("\0openjdk\0")]),
            rule(&OPENJDK, NAMES_AT, FULL_BEFORE).within(120, 0).when(&[Contains("\0openjdk\0")]),
            rule(&IBM, NAMES_AT, IBM_FULL).within(0, 240).when(&[Path("/ibm/")]),
            rule(&JRE, NUMBER_AT, WITH_BUILD).when(&[Contains("openjdk")]),
            rule(&JRE, NUMBER_AT, ORACLE_UPDATE).when(&[Lacks("openjdk")]),
            rule(&JRE, NUMBER_AT, ORACLE).when(&[Lacks("openjdk")]),
        ],
    },
    Classifier {
        names: Names::Any(&["jdb"]),
        rules: &[
            rule(&GRAALVM_JDK, &["-jvmci-"], GRAAL).within(48, 32),
            rule(&ZULU, NAMES_AT, FULL).within(0, 96).when(&[Path("zulu")]),
            rule(&ZULU, NAMES_AT, FULL_BEFORE).within(120, 0).when(&[Path("zulu")]),
            rule(&OPENJDK, NAMES_AT, UPDATE).within(0, 96).when(&[Contains("\0openjdk\0")]),
            rule(&OPENJDK, NAMES_AT, UPDATE_BEFORE).within(120, 0).when(&[Contains("\0openjdk\0")]),
            rule(&OPENJDK, NAMES_AT, FULL).within(0, 96).when(&[Contains("\0openjdk\0")]),
            rule(&OPENJDK, NAMES_AT, FULL_BEFORE).within(120, 0).when(&[Contains("\0openjdk\0")]),
            rule(&IBM_SDK, NAMES_AT, IBM_FULL).within(0, 240).when(&[Path("/ibm/")]),
            rule(&OPENJDK, NUMBER_AT, WITH_BUILD).when(&[Contains("openjdk")]),
            rule(&JDK, NUMBER_AT, ORACLE_UPDATE).when(&[Lacks("openjdk")]),
            rule(&JDK, NUMBER_AT, ORACLE).when(&[Lacks("openjdk")]),
        ],
    },
];

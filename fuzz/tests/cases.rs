//! What a search has found, and what it begins with, is read again.

use std::path::Path;

use fuzz::TARGETS;

#[test]
fn every_case_and_every_seed_is_read() {
    let mut read = 0;
    for target in TARGETS {
        for kind in ["cases", "seeds"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target.name);
            let Ok(files) = fs_err::read_dir(&folder) else { continue };
            for file in files {
                let file = file.unwrap();
                (target.run)(
                    &fs_err::File::open(file.path())
                        .and_then(|mut opened| {
                            let mut bytes = Vec::new();
                            std::io::copy(&mut opened, &mut bytes)?;
                            Ok(bytes)
                        })
                        .unwrap(),
                );
                read += 1;
            }
        }
    }
    assert!(read > 0, "no cases at all: wrong folder");
}

#[test]
fn folders_belong_to_targets() {
    for kind in ["cases", "seeds"] {
        for folder in fs_err::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(kind)).unwrap() {
            let name = folder.unwrap().file_name().into_string().unwrap();
            assert!(name.contains('.') || fuzz::find(&name).is_some(), "{kind}/{name} is read by nobody");
        }
    }
}

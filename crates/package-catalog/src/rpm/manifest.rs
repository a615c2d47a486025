//! The list of packages in images that are made without rpm.

use crate::parse::lines;
use crate::rpm::package::{RawPackage, is_stated};
use crate::rpm::reading::Reading;

/// Reads `container-manifest-2`.
///
/// Shape:  one package a line; ten fields with tabs between them: name, version-release, time of installation, time of build, vendor,
///         epoch, size, architecture, epoch as a number, name of the source's file. `(none)` is nothing.
/// Limits: `packages_max` lines, `value_bytes_max` for each field.
/// Result: every line of ten fields; any other is told.
/// Source: the images of CBL-Mariner 2.0 and Azure Linux 3.0 that are called distroless.
pub(super) fn read(reading: &mut Reading<'_>) {
    for (offset, line) in lines(reading.input.bytes).filter(|(_, line)| !line.trim_ascii().is_empty()) {
        if reading.is_stopped() {
            return;
        }
        let fields: Vec<&[u8]> = line.splitn(11, |byte| *byte == b'\t').collect();
        let &[name, version, _, _, vendor, epoch, size, architecture, _, source_rpm] = fields.as_slice()
        else {
            reading.lose(offset, "line has not the ten fields of a package");
            continue;
        };
        let mut text =
            |bytes: &[u8]| Some(reading.problems.value(offset, bytes)).filter(|value| is_stated(value));
        let Some(name) = text(name) else {
            reading.lose(offset, "line names no package");
            continue;
        };
        let epoch = text(epoch);
        let Ok(epoch) = epoch.map(|epoch| epoch.parse()).transpose() else {
            reading.lose(offset, "epoch is not a number");
            continue;
        };
        let raw = RawPackage {
            offset,
            name,
            epoch,
            version_release: text(version),
            architecture: text(architecture),
            vendor: text(vendor),
            license: None,
            source_rpm: text(source_rpm),
            installed_size_bytes: text(size).and_then(|size| size.parse().ok()),
            modularity_label: None,
        };
        reading.add(raw, None);
    }
}

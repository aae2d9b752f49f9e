//! What a file has beside its content, kept when another takes its name.

use std::fs::{File, Metadata};
use std::path::Path;

/// Rights that a file gives to those who run it (setuid, setgid).
#[cfg(unix)]
const RUN_AS: u32 = 0o6_000;

/// Gives `new` the owner, the attributes with their ACLs, and the mode of the file `old`.
///
/// # Errors
///
/// Why `new` cannot stand for `old`.
#[cfg(unix)]
pub(super) fn like(meta: &Metadata, old: &Path, new: &File) -> Result<(), String> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

    if meta.nlink() > 1 {
        return Err("it has other links".to_owned());
    }
    let made = new.metadata().map_err(|error| error.to_string())?;
    if (made.uid(), made.gid()) != (meta.uid(), meta.gid()) {
        fchown(new, Some(meta.uid()), Some(meta.gid()))
            .map_err(|error| format!("its owner cannot be kept ({error})"))?;
    }
    attributes(old, new).map_err(|error| format!("its attributes cannot be kept ({error})"))?;
    let mut mode = meta.mode() & 0o7_777;
    if !rustix::process::geteuid().is_root() {
        // A write of anybody but root takes these rights away.
        mode &= !RUN_AS;
    }
    new.set_permissions(std::fs::Permissions::from_mode(mode))
        .map_err(|error| format!("its mode cannot be kept ({error})"))
}

#[cfg(not(unix))]
pub(super) fn like(meta: &Metadata, _: &Path, new: &File) -> Result<(), String> {
    new.set_permissions(meta.permissions())
        .map_err(|error| format!("its mode cannot be kept ({error})"))
}

/// The extended attributes: ACLs and labels are among them.
#[cfg(unix)]
fn attributes(old: &Path, new: &File) -> std::io::Result<()> {
    use std::io;

    use xattr::FileExt as _;

    /// What a write takes away: the right of a program to more than its user may.
    const CAPABILITY: &str = "security.capability";
    let old_names = match xattr::list_deref(old) {
        Ok(names) => names,
        // A file system without attributes.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
        Err(error) => return Err(error),
    };
    let old_names: Vec<_> = old_names.filter(|name| name != CAPABILITY).collect();
    // The directory may have given the new one an ACL.
    for name in new.list_xattr()? {
        if !old_names.contains(&name) {
            new.remove_xattr(&name)?;
        }
    }
    for name in &old_names {
        if let Some(value) = xattr::get_deref(old, name)?
            && new.get_xattr(name)?.as_ref() != Some(&value)
        {
            new.set_xattr(name, &value)?;
        }
    }
    Ok(())
}

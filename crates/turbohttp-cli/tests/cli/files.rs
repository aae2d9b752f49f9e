//! Files that are named with `-o`: what the shell's `>` would have left is there.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::os::unix::process::CommandExt as _;

use turbohttp_loopback::pattern;

use super::support::{Directory, Run, alone, is_root, run, server, shell, skipped, turbohttp};

/// Mounts and processes that only the test sees.
const MOUNTS: &[&str] = &["--mount"];

/// A user without rights, on every system.
const NOBODY: u32 = 65_534;

fn set_mode(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_keeps_its_mode() {
    let server = server();
    let directory = Directory::new();
    for mode in [0o600, 0o640, 0o666, 0o755] {
        let file = directory.write("file", "old");
        set_mode(&file, mode);
        run(&["get", &server.url("/bytes/100000"), "-o", &file]).is_quietly_ok();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, mode);
        assert!(fs::read(&file).unwrap() == pattern(100_000));
    }
    assert_eq!(directory.names(), ["file"]);
}

#[test]
fn a_new_file_has_the_mode_that_the_mask_leaves() {
    let server = server();
    let directory = Directory::new();
    let file = directory.file("file");
    // A directory may be given by a link, and the file by one that leads nowhere yet.
    symlink(".", directory.file("here")).unwrap();
    symlink("file", directory.file("link")).unwrap();
    let link = directory.file("here/link");
    let url = server.url("/small");
    let got = shell("umask 027; exec \"$0\" \"$@\"", &["get", &url, "-o", &link]).output();
    Run::from(got.unwrap()).is_quietly_ok();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("file"));
}

#[test]
fn a_file_keeps_its_owner() {
    if !is_root() {
        return;
    }
    let server = server();
    let directory = Directory::new();
    let file = directory.write("file", "old");
    chown(&file, Some(1234), Some(4321)).unwrap();
    run(&["get", &server.url("/small"), "-o", &file]).is_quietly_ok();
    let meta = fs::metadata(&file).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (1234, 4321));
}

#[test]
fn an_owner_that_cannot_be_kept_is_kept_by_writing_in_place() {
    if !is_root() {
        return;
    }
    let server = server();
    let directory = Directory::new();
    set_mode(directory.path().to_str().unwrap(), 0o777);
    let file = directory.write("file", "old");
    set_mode(&file, 0o666);
    let Some(got) = as_nobody(&["get", "-v", &server.url("/small"), "-o", &file]) else {
        return;
    };
    assert_eq!(got.code, Some(0), "{}", got.stderr);
    assert!(
        got.stderr.contains("written in place: its owner"),
        "{}",
        got.stderr
    );
    assert_eq!(fs::metadata(&file).unwrap().uid(), 0);
    assert_eq!(fs::read(&file).unwrap(), b"Hello, world!");
    assert_eq!(directory.names(), ["file"]);
}

/// Runs the command as a user without rights; `None` if that user cannot reach it, which is said.
fn as_nobody(arguments: &[&str]) -> Option<Run> {
    let reached = turbohttp(&["--version"]).uid(NOBODY).gid(NOBODY).output();
    if !reached.is_ok_and(|output| output.status.success()) {
        skipped("the command lies where only its owner may go");
        return None;
    }
    let mut command = turbohttp(arguments);
    Some(command.uid(NOBODY).gid(NOBODY).output().unwrap().into())
}

#[test]
fn a_file_that_may_not_be_written_is_not_replaced() {
    let server = server();
    let directory = Directory::new();
    let path = directory.path().to_str().unwrap();
    set_mode(path, 0o777);
    let file = directory.write("file", "old");
    set_mode(&file, 0o444);
    let arguments = ["get", &server.url("/small"), "-o", &file];
    let got = match rustix::process::geteuid().is_root() {
        true => as_nobody(&arguments),
        false => Some(run(&arguments)),
    };
    let Some(got) = got else { return };
    got.fails_with(23, &[&file, "Permission denied"]);
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(directory.names(), ["file"]);
}

#[test]
fn a_directory_that_takes_no_new_file_does_not_hinder() {
    if !is_root() {
        return;
    }
    let server = server();
    let directory = Directory::new();
    let file = directory.write("file", "an old content that is longer");
    set_mode(&file, 0o666);
    set_mode(directory.path().to_str().unwrap(), 0o555);
    let Some(got) = as_nobody(&["get", "-v", &server.url("/small"), "-o", &file]) else {
        return;
    };
    assert_eq!(got.code, Some(0), "{}", got.stderr);
    assert!(got.stderr.contains("is written in place"), "{}", got.stderr);
    assert_eq!(fs::read(&file).unwrap(), b"Hello, world!");
}

#[test]
fn other_names_of_a_file_are_names_of_it_still() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write("file", "old");
    let other = directory.file("other");
    fs::hard_link(&file, &other).unwrap();
    // A body that is cut leaves the old content.
    run(&["get", &server.url("/drop/1000"), "-o", &file]).fails_with(18, &[]);
    assert_eq!(fs::read(&other).unwrap(), b"old");
    let got = run(&["get", "-v", &server.url("/bytes/5000"), "-o", &file]);
    assert!(
        got.stderr.contains("written in place: it has other links"),
        "{}",
        got.stderr
    );
    assert!(fs::read(&other).unwrap() == pattern(5_000));
    let inode = |path: &str| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&file), inode(&other));
    assert_eq!(directory.names(), ["file", "other"]);
}

#[test]
fn links_are_followed_wherever_they_lead() {
    let server = server();
    let directory = Directory::new();
    fs::create_dir(directory.file("sub")).unwrap();
    for (name, to) in [
        ("first", "second"),
        ("second", "sub/third"),
        ("sub/third", "../end"),
    ] {
        symlink(to, directory.file(name)).unwrap();
    }
    run(&["get", &server.url("/small"), "-o", &directory.file("first")]).is_quietly_ok();
    assert_eq!(directory.names(), ["end", "first", "second", "sub"]);
    assert_eq!(fs::read(directory.file("end")).unwrap(), b"Hello, world!");
    // A circle, and a directory that is not there, are errors, and leave nothing.
    symlink("circle", directory.file("circle")).unwrap();
    symlink("none/x", directory.file("astray")).unwrap();
    for name in ["circle", "astray"] {
        let file = directory.file(name);
        run(&["get", &server.url("/small"), "-o", &file]).fails_with(23, &[&file]);
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    }
}

#[test]
fn what_others_have_laid_in_a_directory_for_all_is_as_safe_as_with_the_shell() {
    if !is_root() {
        return;
    }
    let server = server();
    let directory = Directory::new();
    let all = directory.file("all");
    fs::create_dir(&all).unwrap();
    set_mode(&all, 0o1777);
    let own = directory.write("own", "own");
    let (link, dangling) = (directory.file("all/link"), directory.file("all/dangling"));
    symlink(&own, &link).unwrap();
    symlink(directory.file("none"), &dangling).unwrap();
    let file = directory.write("all/file", "own");
    for laid in [&link, &dangling, &file] {
        lchown(laid, Some(NOBODY), Some(NOBODY)).unwrap();
        let opened = shell(": >>\"$LAID\"", &[]).env("LAID", laid).output();
        if opened.unwrap().status.success() {
            skipped("the system does not protect what others lay");
            continue;
        }
        let got = run(&["get", &server.url("/small"), "-o", laid]);
        got.fails_with(23, &[laid, "Permission denied"]);
    }
    if !fs::exists(directory.file("none")).unwrap() {
        assert_eq!(directory.names(), ["all", "own"]);
    }
}

#[test]
fn attributes_and_acls_are_kept() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write("file", "old");
    // Version 2: owner, user 1234, group, mask, others.
    let mut acl = vec![2, 0, 0, 0];
    for (tag, rights, id) in [
        (1, 6, u32::MAX),
        (2, 4, 1234),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
    ] {
        let (tag, rights): (u16, u16) = (tag, rights);
        acl.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        acl.extend(id.to_le_bytes());
    }
    acl.extend([32, 0, 0, 0, 255, 255, 255, 255]);
    let attributes = [
        ("user.note", b"kept".to_vec()),
        ("system.posix_acl_access", acl),
    ];
    for (name, value) in &attributes {
        if let Err(error) = xattr::set(&file, name, value) {
            skipped(&format!("{name} cannot be set here: {error}"));
            return;
        }
    }
    run(&["get", &server.url("/small"), "-o", &file]).is_quietly_ok();
    for (name, value) in &attributes {
        assert_eq!(
            xattr::get(&file, name).unwrap().as_ref(),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(fs::read(&file).unwrap(), b"Hello, world!");
}

#[test]
fn a_file_that_is_a_mount_is_written_in_place() {
    let server = server();
    let directory = Directory::new();
    let inner = directory.write("inner", "an old content");
    let outer = directory.write("outer", "");
    let script = format!("mount --bind {inner} {outer} && exec \"$0\" \"$@\"");
    let arguments = ["get", "-v", &server.url("/small"), "-o", &outer];
    let Some(mut command) = alone(MOUNTS, &script, &arguments) else {
        return;
    };
    let got = Run::from(command.output().unwrap());
    assert_eq!(got.code, Some(0), "{}", got.stderr);
    assert!(
        got.stderr.contains("outer was written in place: "),
        "{}",
        got.stderr
    );
    assert_eq!(fs::read(&inner).unwrap(), b"Hello, world!");
    assert_eq!(directory.names(), ["inner", "outer"]);
}

#[test]
fn a_file_on_a_mount_in_a_read_only_directory_is_written_in_place() {
    let server = server();
    let directory = Directory::new();
    let inner = directory.write("inner", "an old content");
    fs::create_dir(directory.file("sub")).unwrap();
    let outer = directory.write("sub/outer", "");
    let sub = directory.file("sub");
    let script = format!(
        "mount --bind {sub} {sub} && mount --bind {inner} {outer} && mount -o remount,bind,ro {sub} && \
         exec \"$0\" \"$@\""
    );
    let arguments = ["get", "-v", &server.url("/small"), "-o", &outer];
    let Some(mut command) = alone(MOUNTS, &script, &arguments) else {
        return;
    };
    let got = Run::from(command.output().unwrap());
    assert_eq!(got.code, Some(0), "{}", got.stderr);
    assert!(
        got.stderr
            .contains("takes no new file (Read-only file system"),
        "{}",
        got.stderr
    );
    assert_eq!(fs::read(&inner).unwrap(), b"Hello, world!");
}

#[test]
fn a_full_disk_is_told_and_leaves_the_old_content() {
    let server = server();
    let directory = Directory::new();
    let disk = directory.path().to_str().unwrap();
    let file = directory.file("file");
    let script = format!(
        "mount -t tmpfs -o size=64k none {disk} && echo old > {file} && \"$0\" \"$@\"; \
         code=$?; ls -A {disk}; cat {file}; exit $code"
    );
    let arguments = ["get", &server.url("/bytes/1000000"), "-o", &file];
    let Some(mut command) = alone(MOUNTS, &script, &arguments) else {
        return;
    };
    let got = Run::from(command.output().unwrap());
    got.fails_with(23, &["No space left on device"]);
    assert_eq!(got.text(), "file\nold\n");
}

#[test]
fn a_copy_that_does_not_fit_leaves_the_old_content() {
    let server = server();
    let directory = Directory::new();
    let disk = directory.path().to_str().unwrap();
    let file = directory.file("file");
    // There is room for the new content beside the old one, but not for two of it.
    let script = format!(
        "mount -t tmpfs -o size=64k none {disk} && echo old > {file} && ln {file} {file}2 && \
         \"$0\" \"$@\"; code=$?; ls -A {disk}; cat {file}; exit $code"
    );
    let arguments = ["get", &server.url("/bytes/40000"), "-o", &file];
    let Some(mut command) = alone(MOUNTS, &script, &arguments) else {
        return;
    };
    let got = Run::from(command.output().unwrap());
    got.fails_with(23, &["copying into", "No space left on device"]);
    assert_eq!(got.text(), "file\nfile2\nold\n");
}

#[test]
fn a_limit_of_the_size_of_files_is_told_and_leaves_the_old_content() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write("file", "old");
    let arguments = ["get", &server.url("/bytes/1000000"), "-o", &file];
    let mut command = shell("ulimit -f 16; exec \"$0\" \"$@\"", &arguments);
    let got = Run::from(command.output().unwrap());
    got.fails_with(23, &["File too large"]);
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(directory.names(), ["file"]);
}

#[test]
fn a_program_that_runs_can_be_replaced() {
    let server = server();
    let directory = Directory::new();
    let program = directory.file("program");
    fs::copy("/bin/sleep", &program).unwrap();
    let mut running = std::process::Command::new(&program)
        .arg("600")
        .spawn()
        .unwrap();
    // The shell is told that the text is busy: more is done here than there.
    assert!(OpenOptions::new().write(true).open(&program).is_err());
    let got = run(&["get", &server.url("/small"), "-o", &program]);
    running.kill().unwrap();
    running.wait().unwrap();
    got.is_quietly_ok();
    assert_eq!(fs::metadata(&program).unwrap().mode() & 0o777, 0o755);
}

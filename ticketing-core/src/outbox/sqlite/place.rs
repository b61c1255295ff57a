//! Where the file must not be: on a network file system, whose locks and syncs cannot be relied
//! upon. Told by the kernel's table of mounts.

use std::path::{Path, PathBuf};

use super::file::unusable;
use crate::outbox::StoreError;

/// Kinds of file system behind which another machine, or a program, decides what a lock or a sync
/// means.
const UNRELIABLE: [&str; 15] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "beegfs",
    "davfs",
    "fuse",
    "virtiofs",
];

/// Refuses a path on a network file system. Where there is no table of mounts nothing is refused.
pub(super) fn refuse_network(path: &Path) -> Result<(), StoreError> {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mounts") else { return Ok(()) };
    let Some(kind) = kind_of(path, &mounts).filter(|kind| is_unreliable(kind)) else {
        return Ok(());
    };
    Err(unusable(format!(
        "{} is on a network or user-space file system ({kind}), which cannot be relied upon to keep \
         what it has synced; put the outbox on a local disk, or use PostgreSQL",
        path.display()
    )))
}

/// `fuse.sshfs` is a `fuse`; `fuseblk` is a local disk.
fn is_unreliable(kind: &str) -> bool {
    let family = kind.split_once('.').map_or(kind, |(family, _)| family);
    UNRELIABLE.contains(&family)
}

/// The kind of the file system that holds the path: the last of the innermost mounts.
fn kind_of<'mounts>(path: &Path, mounts: &'mounts str) -> Option<&'mounts str> {
    let mut innermost: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(_source), Some(point), Some(kind)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let point = unescape(point);
        let depth = point.components().count();
        if path.starts_with(&point) && innermost.is_none_or(|(deepest, _)| depth >= deepest) {
            innermost = Some((depth, kind));
        }
    }
    innermost.map(|(_, kind)| kind)
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(point: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    let plain =
        escapes.into_iter().fold(point.to_owned(), |text, (from, to)| text.replace(from, to));
    PathBuf::from(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
/dev/sda1 / ext4 rw,relatime 0 0
server:/export /mnt/nfs nfs4 rw 0 0
//server/share /mnt/share\\040one cifs rw 0 0
user@host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sdb1 /mnt/usb fuseblk rw 0 0
tmpfs /mnt/nfs/local tmpfs rw 0 0
/dev/sdc1 /var ext4 rw 0 0
server:/var /var nfs rw 0 0
";

    #[test]
    fn the_innermost_and_last_mount_decides() {
        for (path, kind, unreliable) in [
            ("/srv/outbox.db", "ext4", false),
            ("/mnt/nfs/outbox.db", "nfs4", true),
            ("/mnt/nfs-of-old/outbox.db", "ext4", false),
            ("/mnt/nfs/local/outbox.db", "tmpfs", false),
            ("/mnt/share one/outbox.db", "cifs", true),
            ("/mnt/ssh/a/b/outbox.db", "fuse.sshfs", true),
            ("/mnt/usb/outbox.db", "fuseblk", false),
            ("/var/lib/outbox.db", "nfs", true),
        ] {
            assert_eq!(kind_of(Path::new(path), MOUNTS), Some(kind), "{path}");
            assert_eq!(is_unreliable(kind), unreliable, "{kind}");
        }
        assert_eq!(kind_of(Path::new("/x"), "nonsense"), None);
    }

    #[test]
    fn a_local_disk_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        refuse_network(&directory.path().join("outbox.db")).unwrap();
    }
}

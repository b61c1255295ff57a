//! Copies of the outbox: made while it runs, put back while it does not.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{
    epoch::{self, Epoch, sync_directory},
    file::{self, lock, private_file, unusable},
};
use crate::outbox::{StoreError, row::unavailable};

/// How the name of an outbox goes on that was replaced by a copy.
const REPLACED: &str = ".before-restore";

/// Writes a whole copy of the outbox to a new file, readable by its owner alone. The outbox may be
/// in use meanwhile, by this process or another.
///
/// The copy holds what callers said. Wherever it is started it is known for a copy, and what it
/// has not settled is looked up before it is sent.
pub fn back_up(outbox: &Path, to: &Path) -> Result<(), StoreError> {
    let source = open_outbox(outbox)?;
    private_file().write(true).create_new(true).open(to).map_err(|error| unwritable(to, &error))?;
    copy(&source, to).inspect_err(|_failed| {
        let _half_a_copy = fs::remove_file(to);
    })
}

fn copy(source: &Connection, to: &Path) -> Result<(), StoreError> {
    let name = to.to_str().ok_or_else(|| unusable("the name of the copy is not UTF-8"))?;
    source.execute("VACUUM INTO ?1", [name]).map_err(unavailable)?;
    let copy =
        Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unavailable)?;
    // Older outboxes know no epochs: without one a copy fits nowhere either.
    let knows_epochs = copy.table_exists(None, "epoch").map_err(unavailable)?;
    if knows_epochs {
        epoch::mark_as_copy(&copy).map_err(unavailable)?;
    }
    copy.close().map_err(|(_copy, error)| unavailable(error))?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(unavailable)?;
    sync_directory(to).map_err(unavailable)
}

/// Puts a copy in the place of the outbox, which must not be in use ([`StoreError::InUse`]).
///
/// What was there is kept under the returned name, if anything was; not more than one is, and none
/// is overwritten. At the next start every row that is not settled is looked up before it is sent.
pub fn restore(outbox: &Path, from: &Path) -> Result<Option<PathBuf>, StoreError> {
    let outbox = std::path::absolute(outbox).map_err(unavailable)?;
    let outbox = outbox.canonicalize().unwrap_or(outbox);
    let _lock = lock(&outbox)?;
    let source = open_outbox(from)?;
    let sound: String =
        source.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(unavailable)?;
    if sound != "ok" {
        return Err(unusable(format!("{} is damaged: {sound}", from.display())));
    }
    let fresh = beside(&outbox, ".restoring");
    let _left_by_a_crash = fs::remove_file(&fresh);
    back_up(from, &fresh)?;
    drop(source);

    let kept = keep_present(&outbox)?;
    if kept.is_some() {
        Epoch::beside(&outbox).distrust().map_err(unavailable)?;
    }
    // One step: there is always a whole outbox.
    fs::rename(&fresh, &outbox).map_err(unavailable)?;
    sync_directory(&outbox).map_err(unavailable)?;
    // Also where nothing was before.
    Epoch::beside(&outbox).distrust().map_err(unavailable)?;
    Ok(kept)
}

/// Keeps what is in the copy's place, under another name, with all that its log holds.
fn keep_present(outbox: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !outbox.try_exists().map_err(unavailable)? {
        return Ok(None);
    }
    let kept = beside(outbox, REPLACED);
    if is_same_file(outbox, &kept).map_err(unavailable)? {
        // A restore that got no further than here.
        fs::remove_file(&kept).map_err(unavailable)?;
    } else if kept.exists() {
        return Err(unusable(format!(
            "{} is still kept from the last restore; delete it, or put it elsewhere, first",
            kept.display()
        )));
    }
    let emptied = Connection::open_with_flags(outbox, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(
        |connection| {
            file::write_out(&connection)?;
            connection.close().map_err(|(_connection, error)| error)
        },
    );
    match emptied {
        Ok(()) => {}
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            return Err(StoreError::InUse { path: outbox.display().to_string() });
        }
        // It is damaged, which may be why a copy is put back. Its log goes with it, first: beside
        // another file it would be taken for that one's.
        Err(error) => {
            tracing::warn!(%error, "the present outbox is damaged; it is kept as it is");
            let log = beside(outbox, "-wal");
            if log.exists() {
                fs::rename(&log, beside(&kept, "-wal")).map_err(unavailable)?;
            }
        }
    }
    fs::hard_link(outbox, &kept).map_err(unavailable)?;
    for left in ["-wal", "-shm"] {
        match fs::remove_file(beside(outbox, left)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unavailable(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Some(kept))
}

/// Warns of outboxes that were replaced by a copy and are still kept: no retention erases what
/// callers said in them.
pub(super) fn warn_of_replaced(outbox: &Path) {
    let kept = replaced(outbox);
    if !kept.is_empty() {
        tracing::warn!(
            ?kept,
            "an outbox that was replaced by a copy is kept with what callers said, and nothing \
             erases it in time: delete it when it is no longer needed"
        );
    }
}

fn replaced(outbox: &Path) -> Vec<PathBuf> {
    let start = beside(outbox, REPLACED);
    let (Some(directory), Some(start)) = (outbox.parent(), start.file_name()) else {
        return Vec::new();
    };
    let is_one = |file: &fs::DirEntry| {
        file.file_name().as_encoded_bytes().starts_with(start.as_encoded_bytes())
    };
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter(is_one).map(|file| file.path()).collect()
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let place = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    Ok(other.exists() && place(one)? == place(other)?)
}

#[cfg(not(unix))]
fn is_same_file(_one: &Path, _other: &Path) -> io::Result<bool> {
    Ok(false)
}

/// A connection that only reads, to something that is an outbox.
fn open_outbox(path: &Path) -> Result<Connection, StoreError> {
    let named = |problem: &str| unusable(format!("{}: {problem}", path.display()));
    if !path.is_file() {
        return Err(named("there is no such file"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    connection.busy_timeout(file::BUSY_TIMEOUT).map_err(unavailable)?;
    let version: Result<u32, _> = connection.query_row("PRAGMA user_version", [], |row| row.get(0));
    let is_outbox = connection.table_exists(None, "outbox");
    match (version, is_outbox) {
        (Ok(version), Ok(true)) if version as usize <= file::MIGRATIONS.len() => Ok(connection),
        (Ok(_), Ok(true)) => Err(named("it was written by a later version of this program")),
        (Ok(_), Ok(false)) => Err(named("it is not an outbox")),
        (Err(_), _) | (_, Err(_)) => Err(named("it is not a SQLite file, or it is damaged")),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn unwritable(path: &Path, error: &io::Error) -> StoreError {
    unusable(format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_that_was_replaced_is_known_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = directory.path().join("outbox.db");
        assert!(replaced(&outbox).is_empty());
        for other in ["outbox.db", "outbox.db.epoch", "other.db.before-restore"] {
            fs::write(directory.path().join(other), "").unwrap();
        }
        assert!(replaced(&outbox).is_empty());
        for kept in ["outbox.db.before-restore", "outbox.db.before-restore-wal"] {
            fs::write(directory.path().join(kept), "").unwrap();
        }
        assert_eq!(replaced(&outbox).len(), 2);
    }
}

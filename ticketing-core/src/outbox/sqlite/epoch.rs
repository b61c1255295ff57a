//! Notices when the file is not the one that was last written here: put back from a backup, or
//! copied to another place. Then what it says may be old, and every row that is not settled may
//! have been delivered since.
//!
//! A random name stands in the file and in another file beside it. Both change at every start and
//! every stop, and every minute in between; the file beside it first lists both names, then the
//! new one alone, so that a crash in between leaves names that fit. It also tells the file's inode:
//! a copy that was moved into place has another one, however young it is.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{file::private_file, rows::execute};
use crate::outbox::row;

const READ: &str = "SELECT name FROM epoch";

const WRITE: &str = "
    INSERT INTO epoch (one, name) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET name = ?1";

// Since the copy was made a row may have been sent at any time up to now. Parked rows are marked
// too: an operator may have sent them again.
const DOUBT_ALL: &str = "
    UPDATE outbox SET
        doubts = doubts + 1, lookups = 0,
        first_send_at = COALESCE(first_send_at, accepted_at), last_send_at = ?1,
        due_at = CASE state WHEN 'parked' THEN due_at ELSE ?2 END,
        reason = CASE state WHEN 'parked' THEN reason ELSE ?3 END,
        state = CASE state WHEN 'parked' THEN 'parked' ELSE 'in_doubt' END,
        lease_token = NULL, lease_until = NULL
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'parked')";

// Whoever claims them is told that they may have been sent.
const INTERRUPT_NOTICES: &str = "
    UPDATE notice SET state = 'sending', lease_token = 0, lease_until = ?1
    WHERE state IN ('waiting', 'sending')";

/// The file beside the outbox.
#[derive(Debug)]
pub(super) struct Epoch {
    outbox: PathBuf,
    beside: PathBuf,
}

/// What the file beside the outbox says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    names: Vec<String>,
    inode: u64,
}

impl Epoch {
    pub(super) fn beside(outbox: &Path) -> Self {
        let mut beside = outbox.as_os_str().to_owned();
        beside.push(".epoch");
        Self { outbox: outbox.to_owned(), beside: beside.into() }
    }

    /// Compares the two names, puts rows in doubt if they do not fit, and draws the next one.
    /// Returns how many rows that were, if any.
    pub(super) fn begin(&self, connection: &Connection, now: Timestamp) -> io::Result<usize> {
        let inside: Option<String> = connection
            .query_row(READ, [], |row| row.get(0))
            .optional()
            .map_err(io::Error::other)?;
        let said = self.read()?;
        let fits = match (&inside, &said) {
            // A new outbox, or one of a version that knew no epochs.
            (None, None) => true,
            (Some(name), Some(said)) => said.names.contains(name) && said.inode == self.inode()?,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let next = draw();
        let mut names = if fits { said.map(|said| said.names).unwrap_or_default() } else { vec![] };
        names.push(next.clone());
        self.write(&names)?;
        let doubted =
            change(connection, &next, (!fits).then_some(now)).map_err(io::Error::other)?;
        self.write(&[next])?;
        Ok(doubted)
    }

    /// Draws the next name: a copy made before does not fit any more.
    pub(super) fn turn(&self, connection: &Connection) -> io::Result<()> {
        let next = draw();
        let said = self.read()?;
        let mut names = said.map(|said| said.names).unwrap_or_default();
        names.push(next.clone());
        self.write(&names)?;
        change(connection, &next, None).map_err(io::Error::other)?;
        self.write(&[next])
    }

    /// Makes sure that no file fits: what is there will be replaced by a copy.
    pub(super) fn distrust(&self) -> io::Result<()> {
        self.write(&[])
    }

    fn read(&self) -> io::Result<Option<Said>> {
        match fs::read_to_string(&self.beside) {
            Ok(text) => Ok(Some(parse(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaced in one step: there is always a whole one.
    fn write(&self, names: &[String]) -> io::Result<()> {
        let mut fresh = self.beside.as_os_str().to_owned();
        fresh.push(".new");
        let mut file = private_file().write(true).create(true).truncate(true).open(&fresh)?;
        writeln!(file, "inode {}", self.inode()?)?;
        for name in names {
            writeln!(file, "{name}")?;
        }
        file.sync_all()?;
        fs::rename(&fresh, &self.beside)?;
        sync_directory(&self.beside)
    }

    #[cfg(unix)]
    fn inode(&self) -> io::Result<u64> {
        Ok(std::os::unix::fs::MetadataExt::ino(&fs::metadata(&self.outbox)?))
    }

    #[cfg(not(unix))]
    fn inode(&self) -> io::Result<u64> {
        fs::metadata(&self.outbox).map(|_metadata| 0)
    }
}

/// Gives a copy a name that fits nowhere, so that wherever it is started it is known for a copy.
pub(super) fn mark_as_copy(connection: &Connection) -> rusqlite::Result<()> {
    change(connection, &format!("copy {}", draw()), None).map(drop)
}

/// Puts every row that is not settled in doubt, as of now; returns how many.
pub(crate) fn doubt_everything(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    let due = row::due_after_restore(now);
    execute(connection, INTERRUPT_NOTICES, [now.as_millisecond()])?;
    execute(connection, DOUBT_ALL, params![now.as_millisecond(), due, row::RESTORED])
}

/// Writes the name, and with it what follows from the old one.
fn change(
    connection: &Connection,
    name: &str,
    doubted_at: Option<Timestamp>,
) -> rusqlite::Result<usize> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let doubted = doubted_at.map_or(Ok(0), |now| doubt_everything(&transaction, now))?;
    execute(&transaction, WRITE, [name])?;
    transaction.commit()?;
    Ok(doubted)
}

fn parse(text: &str) -> Said {
    let mut lines = text.lines();
    let inode = lines.next().and_then(|line| line.strip_prefix("inode ")?.parse().ok());
    Said { inode: inode.unwrap_or_default(), names: lines.map(str::to_owned).collect() }
}

fn draw() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// Without it a rename may be undone by a loss of power.
pub(super) fn sync_directory(of: &Path) -> io::Result<()> {
    let directory = of.parent().unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn connection(&self) -> Connection {
            let connection = Connection::open(self.path("outbox.db")).unwrap();
            super::super::migrate(&connection).unwrap();
            connection
        }

        /// Begins, and says whether the outbox was taken for another one.
        fn begins_in_doubt(&self) -> bool {
            let connection = self.connection();
            let now = Timestamp::UNIX_EPOCH;
            let draft = crate::outbox::conformance::draft();
            super::super::rows::insert(&connection, draft, None, now).unwrap();
            Epoch::beside(&self.path("outbox.db")).begin(&connection, now).unwrap() > 0
        }

        fn turn(&self) {
            Epoch::beside(&self.path("outbox.db")).turn(&self.connection()).unwrap();
        }

        fn copy(&self, from: &str, to: &str) {
            fs::copy(self.path(from), self.path(to)).unwrap();
        }
    }

    #[test]
    fn a_file_that_was_last_written_here_is_trusted() {
        let place = Place::new();
        for _ in 0..3 {
            assert!(!place.begins_in_doubt());
        }
        place.turn();
        assert!(!place.begins_in_doubt());
    }

    #[test]
    fn a_copy_put_back_is_not_trusted() {
        let place = Place::new();
        place.begins_in_doubt();
        place.copy("outbox.db", "yesterday.db");
        place.turn();
        place.copy("yesterday.db", "outbox.db");
        assert!(place.begins_in_doubt(), "copied over it");
        assert!(!place.begins_in_doubt(), "once is enough");

        place.copy("outbox.db", "yesterday.db");
        fs::rename(place.path("yesterday.db"), place.path("outbox.db")).unwrap();
        assert!(place.begins_in_doubt(), "moved over it, as young as it is");
    }

    #[test]
    fn a_copy_started_elsewhere_is_not_trusted() {
        let (place, elsewhere) = (Place::new(), Place::new());
        place.begins_in_doubt();
        fs::copy(place.path("outbox.db"), elsewhere.path("outbox.db")).unwrap();
        assert!(elsewhere.begins_in_doubt(), "alone");
        for name in ["outbox.db", "outbox.db.epoch"] {
            fs::copy(place.path(name), elsewhere.path(name)).unwrap();
        }
        // Written by `copy` into the present file, whose inode may be the same number by chance.
        let same = |place: &Place| Epoch::beside(&place.path("outbox.db")).inode().unwrap();
        assert_eq!(elsewhere.begins_in_doubt(), same(&place) != same(&elsewhere), "with its name");
    }

    #[test]
    fn a_file_beside_it_that_cannot_be_understood_is_not_trusted() {
        for text in ["", "inode 1\n", "nonsense", "inode x\n\n\n"] {
            let place = Place::new();
            place.begins_in_doubt();
            fs::write(place.path("outbox.db.epoch"), text).unwrap();
            assert!(place.begins_in_doubt(), "{text:?}");
        }
    }

    #[test]
    fn a_crash_between_the_two_files_leaves_names_that_fit() {
        let place = Place::new();
        place.begins_in_doubt();
        let connection = place.connection();
        let name = || -> String { connection.query_row(READ, [], |row| row.get(0)).unwrap() };
        let epoch = Epoch::beside(&place.path("outbox.db"));
        // Died before the commit.
        epoch.write(&[name(), "next".into()]).unwrap();
        assert!(!place.begins_in_doubt());
        // Died after it.
        epoch.write(&[name(), "next".into()]).unwrap();
        change(&connection, "next", None).unwrap();
        assert!(!place.begins_in_doubt());
    }
}

//! Notices when the file is not the one that was last written here: put back from a backup, or
//! copied to another place. Then what it says may be old, and every row that is not settled may
//! have been delivered since.
//!
//! A witness lies beside the outbox: a small file that tells a random name and the outbox's inode.
//! The outbox in turn knows the witness: its name, its inode and its ctime, the moment at which the
//! file was last changed in any way. No program can set a ctime, so a witness that was put back,
//! even into the same file and together with the outbox, is another one.
//!
//! At every start and every stop, and every minute in between, a fresh witness is called: it is
//! written beside the present one, then the outbox is told, then the present one goes. At whatever
//! instant the process dies, the outbox knows one that is there.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{file::private_file, rows::execute};
use crate::outbox::row;

#[cfg(test)]
mod tests;

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

/// The witnesses beside the outbox: one, or two while it changes.
#[derive(Debug)]
pub(super) struct Epoch {
    outbox: PathBuf,
    beside: [PathBuf; 2],
}

/// What the witness at a path is known by, if it tells of this outbox.
enum Witness {
    None,
    /// Of another outbox, or it cannot be understood.
    Foreign,
    Known(String),
}

impl Epoch {
    pub(super) fn beside(outbox: &Path) -> Self {
        let named = |ending: &str| {
            let mut path = outbox.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        };
        Self { outbox: outbox.to_owned(), beside: [named(".epoch"), named(".epoch-2")] }
    }

    /// Asks the witness, puts rows in doubt if it is not the one that the outbox knows, and calls
    /// the next. Returns how many rows that were, if any.
    pub(super) fn begin(&self, connection: &Connection, now: Timestamp) -> io::Result<usize> {
        let inside = known_to(connection)?;
        let fits = match (&inside, self.witnesses()?) {
            // A new outbox, or one of a version that knew no epochs.
            (None, [Witness::None, Witness::None]) => true,
            (None, _) => false,
            (Some(known), witnesses) => {
                witnesses.iter().any(|witness| matches!(witness, Witness::Known(by) if by == known))
            }
        };
        self.call(connection, (!fits).then_some(now))
    }

    /// Calls the next witness: a copy made before does not fit any more.
    pub(super) fn turn(&self, connection: &Connection) -> io::Result<()> {
        self.call(connection, None).map(drop)
    }

    /// Makes sure that no file fits: what is there will be replaced by a copy.
    pub(super) fn distrust(&self) -> io::Result<()> {
        let [first, second] = &self.beside;
        write(first, "")?;
        remove(second)?;
        sync_directory(first)
    }

    fn call(&self, connection: &Connection, doubted_at: Option<Timestamp>) -> io::Result<usize> {
        let inside = known_to(connection)?;
        let [first, second] = &self.beside;
        let first_is_known = matches!((self.ask(first)?, inside),
            (Witness::Known(by), Some(known)) if by == known);
        let (present, next) = if first_is_known { (first, second) } else { (second, first) };

        let name = format!("{:032x}", fastrand::u128(..));
        let inode = Marks::of(&self.outbox)?.inode;
        write(next, &format!("inode {inode}\n{name}\n"))?;
        sync_directory(next)?;
        let known = Marks::of(next)?.known_by(&name);
        let doubted = tell(connection, &known, doubted_at).map_err(io::Error::other)?;
        remove(present)?;
        sync_directory(present)?;
        Ok(doubted)
    }

    fn witnesses(&self) -> io::Result<[Witness; 2]> {
        let [first, second] = &self.beside;
        Ok([self.ask(first)?, self.ask(second)?])
    }

    fn ask(&self, path: &Path) -> io::Result<Witness> {
        let words = match fs::read_to_string(path) {
            Ok(words) => words,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Witness::None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Ok(Witness::Foreign);
            }
            Err(error) => return Err(error),
        };
        let inode = format!("inode {}", Marks::of(&self.outbox)?.inode);
        let mut lines = words.lines();
        match (lines.next(), lines.next(), lines.next()) {
            (Some(of), Some(name), None) if of == inode => {
                Ok(Witness::Known(Marks::of(path)?.known_by(name)))
            }
            _ => Ok(Witness::Foreign),
        }
    }
}

/// What tells a file from every other of the same content.
struct Marks {
    inode: u64,
    /// In nanoseconds; nothing but the kernel sets it.
    changed: i128,
}

impl Marks {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let marks = fs::metadata(path)?;
        let changed = i128::from(marks.ctime()) * 1_000_000_000 + i128::from(marks.ctime_nsec());
        Ok(Self { inode: marks.ino(), changed })
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|_marks| Self { inode: 0, changed: 0 })
    }

    fn known_by(&self, name: &str) -> String {
        format!("{name} {} {}", self.inode, self.changed)
    }
}

/// What the outbox knows its witness by; `None` before its first start.
fn known_to(connection: &Connection) -> io::Result<Option<String>> {
    connection.query_row(READ, [], |row| row.get(0)).optional().map_err(io::Error::other)
}

/// A new file in the place of what was there, on the disk.
fn write(path: &Path, words: &str) -> io::Result<()> {
    remove(path)?;
    let mut file = private_file().write(true).create_new(true).open(path)?;
    file.write_all(words.as_bytes())?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Lets a copy know a witness that is nowhere, so that wherever it is started it is known for a
/// copy.
pub(super) fn mark_as_copy(connection: &Connection) -> rusqlite::Result<()> {
    tell(connection, "copy", None).map(drop)
}

/// Puts every row that is not settled in doubt, as of now; returns how many.
pub(crate) fn doubt_everything(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    let due = row::due_after_restore(now);
    execute(connection, INTERRUPT_NOTICES, [now.as_millisecond()])?;
    execute(connection, DOUBT_ALL, params![now.as_millisecond(), due, row::RESTORED])
}

/// Tells the outbox its witness, and with it what follows from the old one.
fn tell(
    connection: &Connection,
    known: &str,
    doubted_at: Option<Timestamp>,
) -> rusqlite::Result<usize> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let doubted = doubted_at.map_or(Ok(0), |now| doubt_everything(&transaction, now))?;
    execute(&transaction, WRITE, [known])?;
    transaction.commit()?;
    Ok(doubted)
}

/// Without it a rename may be undone by a loss of power.
pub(super) fn sync_directory(of: &Path) -> io::Result<()> {
    // The parent of a bare file name is nothing at all.
    let directory = of.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

//! The outbox's file: owned by one process, set up so that what is committed is on disk.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::{backup, epoch::Epoch, place, reserve::Reserve};
use crate::outbox::{StoreError, row::unavailable};

/// SQLite below this can lose committed rows when one connection writes while another checkpoints.
const OLDEST_SAFE_SQLITE: i32 = 3_051_003;

/// A migration that has landed is never edited; add another.
pub(super) const MIGRATIONS: [&str; 5] = [
    include_str!("../../../migrations/sqlite/0001_outbox.sql"),
    include_str!("../../../migrations/sqlite/0002_notice.sql"),
    include_str!("../../../migrations/sqlite/0003_erasure.sql"),
    include_str!("../../../migrations/sqlite/0004_epoch.sql"),
    include_str!("../../../migrations/sqlite/0005_fairness.sql"),
];

/// How long to wait for a lock that another program (a shell, a backup) holds on the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// `synchronous=FULL` syncs the log at every commit, `fullfsync` makes that mean the disk on macOS,
/// `secure_delete` overwrites what is erased.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA journal_size_limit = 16777216;
    PRAGMA secure_delete = ON;";

/// The file, while this process owns it.
#[derive(Debug)]
pub(super) struct OutboxFile {
    path: PathBuf,
    epoch: Epoch,
    pub(super) reserve: Arc<Reserve>,
    /// Locked as long as it is open. The file itself stays: deleting it would let two processes
    /// lock two files of one name.
    _lock: File,
}

impl OutboxFile {
    /// Takes possession of the file, creates it if need be, and brings its tables up to date. If it
    /// is not the file that was last written here, its rows are in doubt from `now` on.
    pub(super) fn open(path: &Path, now: Timestamp) -> Result<(Self, Connection), StoreError> {
        refuse_unsafe_sqlite(rusqlite::version_number())?;
        // Absolute, so that SQLite takes no name for a database in memory; through whatever link it
        // was named, the file has one lock.
        let path = std::path::absolute(path).map_err(unavailable)?;
        let path = path.canonicalize().unwrap_or(path);
        place::refuse_network(&path)?;
        let file = Self {
            _lock: lock(&path)?,
            epoch: Epoch::beside(&path),
            reserve: Arc::new(Reserve::beside(&path)),
            path,
        };
        create_private(&file.path)?;
        let connection = file
            .connect()
            .map_err(not_an_outbox)
            .and_then(|connection| migrate(&connection).map(|()| connection))
            .map_err(|error| naming(&file.path, error))?;
        let doubted = file.epoch.begin(&connection, now).map_err(unavailable)?;
        if doubted > 0 {
            tracing::warn!(
                rows = doubted,
                path = %file.path.display(),
                "this outbox is not the one that was last written here: it was restored or copied; \
                 every request that is not settled is looked up in GLPI before it is sent"
            );
        }
        if let Err(error) = write_out(&connection) {
            tracing::warn!(%error, "another program reads the outbox; its log is kept for now");
        }
        file.reserve.make();
        backup::warn_of_replaced(&file.path);
        meters::store::log_bytes(file.log_bytes());
        Ok((file, connection))
    }

    /// The connection that writes.
    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        prepare(&connection)?;
        connection.execute_batch(SETTINGS)?;
        Ok(connection)
    }

    /// Makes every copy made so far an old one.
    pub(super) fn turn_epoch(&self, connection: &Connection) -> std::io::Result<()> {
        self.epoch.turn(connection)
    }

    /// How many bytes the log has.
    pub(super) fn log_bytes(&self) -> u64 {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |metadata| metadata.len())
    }

    /// The connection that writes, again, after it failed.
    ///
    /// The kernel may believe a page of the log written that never reached the disk. So all of the
    /// log goes to the table's own pages, which are synced, before anything is appended to it.
    pub(super) fn reconnect(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect()?;
        write_out(&connection)?;
        Ok(connection)
    }

    /// A connection that reads and never checkpoints.
    pub(super) fn connect_to_read(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        prepare(&connection)?;
        Ok(connection)
    }
}

/// Empties the log into the table's own pages. Fails while another program reads an older state.
pub(super) fn write_out(connection: &Connection) -> rusqlite::Result<()> {
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    Ok(())
}

/// As [`write_out`], if that can be done at once.
pub(super) fn try_write_out(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let written = write_out(connection);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    written
}

fn refuse_unsafe_sqlite(version: i32) -> Result<(), StoreError> {
    if version >= OLDEST_SAFE_SQLITE {
        return Ok(());
    }
    let (major, minor, patch) = (version / 1_000_000, version / 1000 % 1000, version % 1000);
    let problem = format!(
        "SQLite {major}.{minor}.{patch} can lose committed rows; build with 3.51.3 or later"
    );
    Err(unusable(problem))
}

pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private_file()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(|error| unopenable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::InUse { path: path.display().to_string() })
        }
        Err(TryLockError::Error(error)) => Err(unopenable(path, &error)),
    }
}

/// SQLite gives its log the permissions of the file, so they are set before SQLite opens it.
fn create_private(path: &Path) -> Result<(), StoreError> {
    private_file()
        .append(true)
        .create(true)
        .open(path)
        .map(drop)
        .map_err(|error| unopenable(path, &error))
}

/// A new file may be read by its owner alone: it holds what callers said.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(BUSY_TIMEOUT)
}

/// Brings the tables up to date, all at once or not at all.
pub(crate) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
        .map_err(not_an_outbox)?;
    let version: u32 =
        transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(unavailable)?;
    let tables: i64 = transaction
        .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unavailable)?;
    let (done, known) = (version as usize, MIGRATIONS.len());
    if done > known {
        return Err(unusable("it was written by a later version of this program"));
    }
    if done == 0 && tables > 0 {
        return Err(unusable("it is a SQLite file of another program"));
    }
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration).map_err(unavailable)?;
    }
    let version = u32::try_from(known).map_err(unavailable)?;
    transaction.pragma_update(None, "user_version", version).map_err(unavailable)?;
    transaction.commit().map_err(unavailable)
}

fn not_an_outbox(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => unusable("it is not a SQLite file"),
        Some(ErrorCode::DatabaseCorrupt) => unusable("it is damaged; restore it from a backup"),
        Some(ErrorCode::ReadOnly) => unusable("it, or its directory, cannot be written"),
        _ => unavailable(error),
    }
}

fn unopenable(path: &Path, error: &std::io::Error) -> StoreError {
    unusable(format!("{} cannot be opened: {error}", path.display()))
}

pub(super) fn unusable(problem: impl Into<String>) -> StoreError {
    StoreError::Unusable { problem: problem.into() }
}

/// Says which file a problem is about.
fn naming(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unusable { problem } => unusable(format!("{}: {problem}", path.display())),
        StoreError::InUse { .. } | StoreError::Unavailable(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_that_loses_rows_is_refused() {
        assert!(refuse_unsafe_sqlite(rusqlite::version_number()).is_ok());
        let error = refuse_unsafe_sqlite(3_051_002).unwrap_err();
        assert!(error.to_string().contains("SQLite 3.51.2"), "{error}");
    }

    #[test]
    fn files_of_others_are_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("theirs.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let error = OutboxFile::open(&path, Timestamp::UNIX_EPOCH).map(drop).unwrap_err();
        assert!(error.to_string().contains("another program"), "{error}");

        let path = directory.path().join("notes.txt");
        std::fs::write(&path, "not a database at all, but long enough to be taken for one")
            .unwrap();
        let error = OutboxFile::open(&path, Timestamp::UNIX_EPOCH).map(drop).unwrap_err();
        assert!(error.to_string().contains("not a SQLite file"), "{error}");
    }

    #[test]
    fn a_file_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outbox.db");
        let (file, connection) = OutboxFile::open(&path, Timestamp::UNIX_EPOCH).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop((connection, file));
        let error = OutboxFile::open(&path, Timestamp::UNIX_EPOCH).map(drop).unwrap_err();
        assert!(error.to_string().contains("later version"), "{error}");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = OutboxFile::open(Path::new("/nowhere/outbox.db"), Timestamp::UNIX_EPOCH)
            .map(drop)
            .unwrap_err();
        assert!(error.to_string().contains("/nowhere/outbox.db"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let (_file, connection) =
            OutboxFile::open(&directory.path().join("outbox.db"), Timestamp::UNIX_EPOCH).unwrap();
        connection.pragma_update(None, "application_id", 1).unwrap();
        let mut seen = 0;
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
            seen += 1;
        }
        assert_eq!(seen, 6, "the file, its log, its index, its epoch, its reserve and its lock");
    }

    #[test]
    fn the_settings_are_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let (_file, connection) =
            OutboxFile::open(&directory.path().join("outbox.db"), Timestamp::UNIX_EPOCH).unwrap();
        let pragma = |name: &str| -> String {
            connection
                .query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| {
                    row.get(0)
                })
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "2");
        assert_eq!(pragma("secure_delete"), "1");
    }
}

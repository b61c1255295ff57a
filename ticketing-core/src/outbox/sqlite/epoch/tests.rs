//! Copies put back in every way, and crashes between any two steps.

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
    assert!(elsewhere.begins_in_doubt(), "with its witness");
}

/// `cp -a` of a directory and back: the same files, with the content and times of then.
#[test]
fn a_directory_put_back_in_place_is_not_trusted() {
    let (place, copy) = (Place::new(), Place::new());
    place.begins_in_doubt();
    place.turn();
    let as_it_was = |from: &Place, to: &Place| {
        for file in fs::read_dir(from.directory.path()).unwrap() {
            let file = file.unwrap();
            let put = to.directory.path().join(file.file_name());
            fs::copy(file.path(), &put).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap();
            File::options().write(true).open(put).unwrap().set_modified(modified).unwrap();
        }
    };
    as_it_was(&place, &copy);
    assert!(!place.begins_in_doubt(), "a copy was made of it, no more");
    place.turn();
    as_it_was(&copy, &place);
    assert!(place.begins_in_doubt(), "after later starts");
    assert!(!place.begins_in_doubt(), "once is enough");

    for file in fs::read_dir(copy.directory.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    as_it_was(&place, &copy);
    as_it_was(&copy, &place);
    assert!(place.begins_in_doubt(), "at once");
}

#[test]
fn a_witness_that_cannot_be_understood_is_not_trusted() {
    for words in [&b""[..], b"inode 1\n", b"nonsense", b"inode x\n\n\n", b"\xff\xfe"] {
        let place = Place::new();
        place.begins_in_doubt();
        let [first, second] = Epoch::beside(&place.path("outbox.db")).beside;
        for witness in [first, second] {
            fs::write(witness, words).unwrap();
        }
        assert!(place.begins_in_doubt(), "{words:?}");
    }
}

#[test]
fn a_crash_between_the_steps_leaves_a_witness_that_fits() {
    let place = Place::new();
    let epoch = Epoch::beside(&place.path("outbox.db"));
    for _ in 0..2 {
        place.begins_in_doubt();
        let connection = place.connection();
        let (present, next) = {
            let [first, second] = &epoch.beside;
            if first.exists() { (first, second) } else { (second, first) }
        };
        // Died while, or after, the next one was written.
        for words in ["", "inode 1", "inode 1\nname\n"] {
            fs::write(next, words).unwrap();
            let known = known_to(&connection).unwrap();
            let [one, other] = epoch.witnesses().unwrap();
            let fits =
                |witness| matches!(witness, Witness::Known(by) if Some(&by) == known.as_ref());
            assert!(fits(one) || fits(other));
        }
        assert!(!place.begins_in_doubt(), "before the outbox was told");
        // Died after the outbox was told: the one of before is still there.
        fs::write(present, "inode 1\nname\n").unwrap();
        assert!(!place.begins_in_doubt(), "after the outbox was told");
    }
}

#[test]
fn a_copy_of_before_a_crash_is_not_trusted_for_what_the_crash_left() {
    let place = Place::new();
    place.begins_in_doubt();
    place.copy("outbox.db", "yesterday.db");
    let [first, second] = Epoch::beside(&place.path("outbox.db")).beside;
    let present = if first.exists() { first } else { second };
    place.turn();
    assert!(!present.exists(), "the one that the copy knows is gone");
    place.copy("yesterday.db", "outbox.db");
    assert!(place.begins_in_doubt());
}

#[test]
fn a_bare_file_name_lies_in_the_present_directory() {
    sync_directory(Path::new("b.db")).unwrap();
}

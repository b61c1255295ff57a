//! What a freshly installed sandbox holds.

use crate::message::Language;

/// A user of GLPI.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) login: &'static str,
    /// `None`: may not log in with a password.
    pub(crate) password: Option<&'static str>,
    pub(crate) realname: Option<&'static str>,
    pub(crate) firstname: Option<&'static str>,
    pub(crate) email: Option<&'static str>,
    pub(crate) phone: Option<&'static str>,
    pub(crate) phone2: Option<&'static str>,
    pub(crate) mobile: Option<&'static str>,
    pub(crate) registration: Option<&'static str>,
    pub(crate) active: bool,
    pub(crate) profile: Profile,
    /// `None`: GLPI's default language.
    pub(crate) language: Option<Language>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    SelfService,
    Observer,
    SuperAdmin,
    Technician,
}

impl Profile {
    pub(crate) fn id(self) -> u64 {
        match self {
            Self::SelfService => 1,
            Self::Observer => 2,
            Self::SuperAdmin => 4,
            Self::Technician => 6,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SelfService => "Self-Service",
            Self::Observer => "Observer",
            Self::SuperAdmin => "Super-Admin",
            Self::Technician => "Technician",
        }
    }

    /// Sees only the tickets it wrote or is a party of, and no users.
    pub(crate) fn sees_only_its_own(self) -> bool {
        self == Self::SelfService
    }

    /// A priority sent by anybody else is computed over.
    pub(crate) fn may_set_priority(self) -> bool {
        self == Self::SuperAdmin
    }
}

const fn user(id: u64, login: &'static str, profile: Profile) -> User {
    User {
        id,
        login,
        password: None,
        realname: None,
        firstname: None,
        email: None,
        phone: None,
        phone2: None,
        mobile: None,
        registration: None,
        active: true,
        profile,
        language: None,
    }
}

/// The user to whom the configured `user_token` belongs.
pub(crate) const TOKEN_USER: u64 = 2;

pub(crate) const USERS: &[User] = &[
    User { password: Some("glpi"), ..user(TOKEN_USER, "glpi", Profile::SuperAdmin) },
    User {
        password: Some("postonly"),
        language: Some(Language::English),
        ..user(3, "post-only", Profile::SelfService)
    },
    User {
        password: Some("tech"),
        language: Some(Language::English),
        ..user(4, "tech", Profile::Technician)
    },
    User {
        password: Some("normal"),
        language: Some(Language::English),
        ..user(5, "normal", Profile::Observer)
    },
    User {
        realname: Some("Durand"),
        firstname: Some("Marie"),
        email: Some("marie.durand@example.org"),
        phone: Some("+33 1 23 45 67 89"),
        phone2: Some("0411223344"),
        mobile: Some("06 12 34 56 78"),
        ..user(7, "marie.durand", Profile::SelfService)
    },
    User {
        realname: Some("Dupont"),
        firstname: Some("Marie"),
        email: Some("marie.dupont@example.org"),
        phone: Some("01 98 76 54 32"),
        registration: Some("M1042"),
        ..user(8, "marie.dupont", Profile::SelfService)
    },
    // Two namesakes who share an office telephone.
    User {
        realname: Some("Martin"),
        firstname: Some("Jean"),
        email: Some("jean.martin@example.org"),
        phone: Some("+33 4 56 78 90 12"),
        ..user(9, "jean.martin", Profile::SelfService)
    },
    User {
        realname: Some("Martin"),
        firstname: Some("Jean"),
        email: Some("jean.martin2@example.org"),
        phone: Some("+33 4 56 78 90 12"),
        ..user(10, "jean.martin2", Profile::SelfService)
    },
    User {
        realname: Some("Petit"),
        firstname: Some("Luc"),
        email: Some("luc.petit@example.org"),
        active: false,
        ..user(11, "luc.petit", Profile::SelfService)
    },
];

/// A row of a small table that the sandbox only reads.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    /// With the names of its parents.
    pub(crate) full_name: &'static str,
    pub(crate) parent: Option<u64>,
}

const fn item(id: u64, name: &'static str) -> Item {
    Item { id, name, full_name: name, parent: None }
}

pub(crate) const ENTITIES: &[Item] = &[
    item(0, "Entité racine"),
    Item { id: 1, name: "Agence Lyon", full_name: "Entité racine > Agence Lyon", parent: Some(0) },
];

pub(crate) const CATEGORIES: &[Item] = &[
    item(1, "Réseau"),
    item(2, "Imprimante"),
    item(3, "Messagerie"),
    Item { id: 4, name: "Wi-Fi", full_name: "Réseau > Wi-Fi", parent: Some(1) },
];

pub(crate) const LOCATIONS: &[Item] = &[
    item(1, "Bâtiment A"),
    item(2, "Bâtiment B"),
    Item { id: 3, name: "Accueil", full_name: "Bâtiment A > Accueil", parent: Some(1) },
];

pub(crate) const REQUEST_TYPES: &[Item] = &[
    item(1, "Helpdesk"),
    item(2, "E-Mail"),
    item(3, "Phone"),
    item(4, "Direct"),
    item(5, "Written"),
    item(6, "Other"),
];

pub(crate) const GROUPS: &[Item] = &[item(1, "Support N1")];

/// The table of an item type that the sandbox can read by id and as a list.
pub(crate) fn items(itemtype: &str) -> Option<&'static [Item]> {
    Some(match itemtype {
        "Entity" => ENTITIES,
        "ITILCategory" => CATEGORIES,
        "Location" => LOCATIONS,
        "RequestType" => REQUEST_TYPES,
        "Group" => GROUPS,
        _ => return None,
    })
}

/// The name with parents of the item with this id, if it exists.
pub(crate) fn full_name(items: &'static [Item], id: i64) -> Option<&'static str> {
    items.iter().find(|item| i64::try_from(item.id) == Ok(id)).map(|item| item.full_name)
}

pub(crate) fn user_by_id(id: u64) -> Option<&'static User> {
    USERS.iter().find(|user| user.id == id)
}

/// The entity and those below it.
pub(crate) fn entities_from(root: u64, recursive: bool) -> impl Iterator<Item = u64> {
    let below = move |item: &Item| recursive && item.parent == Some(root);
    ENTITIES.iter().filter(move |item| item.id == root || below(item)).map(|item| item.id)
}

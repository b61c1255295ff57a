//! What GLPI says, in French and in English.

use serde::{Deserialize, Serialize};

/// A language that the sandbox's GLPI speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// `fr_FR`
    #[default]
    French,
    /// `en_GB`
    English,
}

/// A sentence of GLPI's catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    ApiDisabled,
    AppTokenMissing,
    AppTokenWrong,
    BadArray,
    BadCriteria,
    BadDate,
    BadField,
    FollowupWithoutContent,
    ItemAdded,
    ItemNotFound,
    LoginMissing,
    LoginWrong,
    MandatoryFields,
    NoRight,
    NotAllowedIp,
    ResourceNotFound,
    SeeDocumentation,
    SessionInvalid,
    SessionMissing,
    UserTokenWrong,
}

impl Language {
    /// The language a browser asks for, if the sandbox speaks it.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        let first = header.split([',', ';', '-', '_']).next().unwrap_or_default().trim();
        match first.to_ascii_lowercase().as_str() {
            "fr" => Some(Self::French),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    pub(crate) fn locale(self) -> &'static str {
        match self {
            Self::French => "fr_FR",
            Self::English => "en_GB",
        }
    }

    pub(crate) fn say(self, message: Message) -> &'static str {
        let (french, english) = both(message);
        match self {
            Self::French => french,
            Self::English => english,
        }
    }
}

/// The French side is recorded, and so is some of the English one. The rest of
/// it follows GLPI's sources, except `BadArray`, `ItemNotFound` and
/// `LoginWrong`, whose English words are only likely: match on codes.
fn both(message: Message) -> (&'static str, &'static str) {
    match message {
        Message::ApiDisabled => ("API désactivée", "API disabled"),
        Message::AppTokenMissing => {
            ("le paramètre app_token est manquant", "missing parameter app_token")
        }
        Message::AppTokenWrong => {
            ("le paramètre app_token semble incorrect", "parameter app_token seems wrong")
        }
        Message::BadArray => (
            "Le paramètre input doit être un tableau d'objets",
            "input parameter must be an array of objects",
        ),
        Message::BadCriteria => ("Critère de recherche mal formé", "Malformed search criteria"),
        Message::BadDate => {
            ("Valeur incorrecte pour le champ date.", "Incorrect value for date field.")
        }
        Message::BadField => (
            "Identifiant de champ incorrect dans le critère de recherche",
            "Bad field ID in search criteria",
        ),
        Message::FollowupWithoutContent => (
            "Vous ne pouvez pas ajouter de suivi sans une description",
            "You can't add a followup without description",
        ),
        Message::ItemAdded => ("Élément ajouté : ", "Item successfully added: "),
        Message::ItemNotFound => ("Élément introuvable", "Item not found"),
        Message::LoginMissing => (
            "le(s) paramètre(s) login, password ou user_token sont manquants",
            "parameter(s) login, password or user_token are missing",
        ),
        Message::LoginWrong => {
            ("Identifiant ou mot de passe incorrect", "Incorrect username or password")
        }
        Message::MandatoryFields => (
            "Les champs obligatoires ne sont pas définis. Merci de corriger : Catégorie",
            "Mandatory fields are not filled. Please correct: Category",
        ),
        Message::NoRight => (
            "Vous n'avez pas les droits requis pour réaliser cette action.",
            "You don't have permission to perform this action.",
        ),
        Message::NotAllowedIp => (
            "Il n'y a aucun client de l'API dans la configuration qui vérifie votre adresse IP",
            "There isn't an active API client matching your IP address in the configuration",
        ),
        Message::ResourceNotFound => (
            "la ressource n'a pas été trouvée ou n'est pas une instance de CommonDBTM",
            "resource not found or not an instance of CommonDBTM",
        ),
        Message::SeeDocumentation => (
            "; Afficher la documentation dans votre navigateur à ",
            "; view documentation in your browser at ",
        ),
        Message::SessionInvalid => {
            ("session_token semble incorrect", "session_token seems invalid")
        }
        Message::SessionMissing => (
            "le paramètre session_token est manquant ou vide",
            "parameter session_token is missing or empty",
        ),
        Message::UserTokenWrong => {
            ("le paramètre user_token semble incorrect", "parameter user_token seems invalid")
        }
    }
}

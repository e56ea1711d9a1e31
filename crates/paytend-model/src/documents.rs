//! The documents that are required to open an account or to create a cardholder.
//!
//! Source: documented, BaaS Core section 4.3 (users) and Issuing Cards section 4.3 (cardholders). The `fileType` codes
//! for these documents are in the documentation that each partner receives from Paytend.
//!
//! ```
//! use paytend_model::documents::{Applicant, Document::*, required_documents};
//! // A Brazilian citizen who lives in Vilnius.
//! let needed = required_documents(&Applicant::person("BR".parse()?, "LT".parse()?));
//! let names: Vec<_> = needed.iter().map(|requirement| requirement.to_string()).collect();
//! assert_eq!(names, ["passport", "face photo", "EEA residence permit or EEA address certificate"]);
//! assert_eq!(needed.iter().find(|r| !r.is_met_by(&[Passport, FacePhoto])).unwrap(), &needed[2]);
//! # Ok::<(), paytend_model::documents::CountryError>(())
//! ```

use std::fmt;
use std::str::FromStr;

/// A country, as its two-letter ISO 3166-1 code, such as `LT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

/// The members of the European Economic Area: the 27 members of the European Union, Iceland, Liechtenstein and Norway.
const EEA: [&[u8; 2]; 30] = [
    b"AT", b"BE", b"BG", b"CY", b"CZ", b"DE", b"DK", b"EE", b"ES", b"FI", b"FR", b"GR", b"HR", b"HU", b"IE", b"IS",
    b"IT", b"LI", b"LT", b"LU", b"LV", b"MT", b"NL", b"NO", b"PL", b"PT", b"RO", b"SE", b"SI", b"SK",
];

impl Country {
    /// Returns whether the country belongs to the European Economic Area.
    pub fn is_eea(self) -> bool {
        EEA.contains(&&self.0)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// The error returned when parsing an invalid [`Country`] code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid country code; use a two-letter ISO 3166-1 code, such as LT")]
pub struct CountryError;

impl FromStr for Country {
    type Err = CountryError;

    /// Reads a two-letter code in upper or lower case. `EL` is read as `GR`, and `UK` as `GB`.
    fn from_str(text: &str) -> Result<Self, CountryError> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self(match &[a.to_ascii_uppercase(), b.to_ascii_uppercase()] {
                    // The European Union uses `EL` for Greece and `UK` for the United Kingdom.
                    b"EL" => *b"GR",
                    b"UK" => *b"GB",
                    code => *code,
                }))
            }
            _ => Err(CountryError),
        }
    }
}

/// The person or corporation that must provide documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applicant {
    /// An individual user of BaaS Core.
    Person {
        /// The nationality.
        nationality: Country,
        /// The country of residence.
        residence: Country,
    },
    /// A corporate user of BaaS Core. The nationality of the natural person who acts for the corporation does not
    /// matter, because an ID card or a passport is accepted for every nationality (documented).
    Corporation {
        /// The country of incorporation.
        country: Country,
    },
    /// A cardholder of Issuing Cards. The documentation says "region" without specifying whether it means nationality
    /// or residence. This crate uses the nationality, as for users (inferred).
    Cardholder {
        /// The nationality.
        nationality: Country,
    },
}

impl Applicant {
    /// Creates an applicant for an individual user.
    pub fn person(nationality: Country, residence: Country) -> Self {
        Self::Person { nationality, residence }
    }

    /// Creates an applicant for a corporate user.
    pub fn corporation(country: Country) -> Self {
        Self::Corporation { country }
    }

    /// Creates an applicant for a cardholder.
    pub fn cardholder(nationality: Country) -> Self {
        Self::Cardholder { nationality }
    }
}

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Document {
    /// A national identity card. For a corporation, the card of the person who acts for it.
    IdCard,
    /// A passport. For a corporation, the passport of the person who acts for it.
    Passport,
    /// A photo of the person's face. For a corporation, a face photo of the person who acts for it.
    FacePhoto,
    /// A residence permit from an EEA country.
    EeaResidencePermit,
    /// A certificate that proves an address in the EEA.
    EeaAddressCertificate,
    /// A corporation's certificate of incorporation.
    CertificateOfIncorporation,
    /// A corporation's articles of association.
    ArticlesOfAssociation,
    /// A Hong Kong corporation's business registration certificate.
    BusinessRegistrationCertificate,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::IdCard => "ID card",
            Self::Passport => "passport",
            Self::FacePhoto => "face photo",
            Self::EeaResidencePermit => "EEA residence permit",
            Self::EeaAddressCertificate => "EEA address certificate",
            Self::CertificateOfIncorporation => "certificate of incorporation",
            Self::ArticlesOfAssociation => "articles of association",
            Self::BusinessRegistrationCertificate => "business registration certificate",
        })
    }
}

/// A requirement that is met by any one of several documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement(&'static [Document]);

impl Requirement {
    /// Returns the alternative documents. Any one of them meets the requirement.
    pub fn any_of(&self) -> &'static [Document] {
        self.0
    }

    /// Returns whether one of the `provided` documents meets the requirement.
    pub fn is_met_by(&self, provided: &[Document]) -> bool {
        self.0.iter().any(|document| provided.contains(document))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, document) in self.0.iter().enumerate() {
            write!(f, "{}{document}", if index == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}

/// Returns the document requirements for an applicant. All requirements must be met.
pub fn required_documents(applicant: &Applicant) -> Vec<Requirement> {
    use Document::*;
    let one_of = Requirement;
    match *applicant {
        Applicant::Person { nationality, residence } => {
            let mut needed = match &nationality.0 {
                _ if nationality.is_eea() => vec![one_of(&[IdCard, Passport])],
                b"CN" => vec![one_of(&[IdCard]), one_of(&[Passport])],
                _ => vec![one_of(&[Passport])],
            };
            needed.push(one_of(&[FacePhoto]));
            if !nationality.is_eea() && residence.is_eea() {
                needed.push(one_of(&[EeaResidencePermit, EeaAddressCertificate]));
            }
            needed
        }
        Applicant::Corporation { country } => {
            let mut needed = vec![
                one_of(&[IdCard, Passport]),
                one_of(&[FacePhoto]),
                one_of(&[CertificateOfIncorporation]),
                one_of(&[ArticlesOfAssociation]),
            ];
            if &country.0 == b"HK" {
                needed.push(one_of(&[BusinessRegistrationCertificate]));
            }
            needed
        }
        Applicant::Cardholder { nationality } if nationality.is_eea() => vec![one_of(&[Passport, IdCard])],
        Applicant::Cardholder { .. } => vec![one_of(&[Passport])],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        code.parse().unwrap()
    }

    /// Returns the requirements for an applicant as one string.
    fn needed(applicant: Applicant) -> String {
        let needed = required_documents(&applicant);
        needed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn documents_for_personal_users_depend_on_nationality_and_residence() {
        const PERMIT: &str = "EEA residence permit or EEA address certificate";
        for (nationality, residence, documents) in [
            // For an EEA national, the country of residence does not matter.
            ("LT", "LT", "ID card or passport; face photo".to_owned()),
            ("NO", "US", "ID card or passport; face photo".to_owned()),
            ("IS", "IS", "ID card or passport; face photo".to_owned()),
            // A Chinese national needs both an ID card and a passport.
            ("CN", "CN", "ID card; passport; face photo".to_owned()),
            ("CN", "DE", format!("ID card; passport; face photo; {PERMIT}")),
            // All other nationals need a passport.
            ("US", "US", "passport; face photo".to_owned()),
            ("GB", "GB", "passport; face photo".to_owned()),
            ("CH", "LI", format!("passport; face photo; {PERMIT}")),
            ("HK", "HK", "passport; face photo".to_owned()),
            ("BR", "LT", format!("passport; face photo; {PERMIT}")),
        ] {
            let applicant = Applicant::person(country(nationality), country(residence));
            assert_eq!(needed(applicant), documents, "{nationality} in {residence}");
        }
    }

    #[test]
    fn documents_for_corporations_depend_on_the_country() {
        let all = "ID card or passport; face photo; certificate of incorporation; articles of association";
        for (code, extra) in [("LT", ""), ("CN", ""), ("US", ""), ("HK", "; business registration certificate")] {
            assert_eq!(needed(Applicant::corporation(country(code))), format!("{all}{extra}"), "{code}");
        }
    }

    #[test]
    fn documents_for_cardholders_depend_on_the_nationality() {
        for (code, documents) in
            [("LT", "passport or ID card"), ("LI", "passport or ID card"), ("CN", "passport"), ("GB", "passport")]
        {
            assert_eq!(needed(Applicant::cardholder(country(code))), documents, "{code}");
        }
    }

    #[test]
    fn country_codes_must_have_two_letters() {
        assert_eq!(country("lt"), country("LT"));
        assert_eq!((country("EL").to_string(), country("uk").to_string()), ("GR".into(), "GB".into()));
        for wrong in ["", "L", "LTU", "L1", "Ž", "UK "] {
            assert_eq!(wrong.parse::<Country>(), Err(CountryError), "{wrong}");
        }
        assert_eq!(EEA.iter().collect::<std::collections::HashSet<_>>().len(), 30);
        assert!(EEA.is_sorted());
    }

    #[test]
    fn requirement_is_met_by_any_of_its_documents() {
        let needed = required_documents(&Applicant::person(country("LT"), country("LT")));
        assert!(needed[0].is_met_by(&[Document::Passport]) && needed[0].is_met_by(&[Document::IdCard]));
        assert!(!needed[0].is_met_by(&[Document::FacePhoto]) && !needed[0].is_met_by(&[]));
    }
}

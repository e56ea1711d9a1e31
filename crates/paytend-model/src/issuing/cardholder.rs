//! Cardholders.

use super::SEEN;
use crate::{Base64Text, Operation, OperationInfo, OperationKind, PayloadRule, Product};

payload! {
    /// Create cardholder.
    ///
    /// Codes seen: `idType` "2" is a passport; `gender` "1" and "2". An EEA national may use a passport or an ID card, others
    /// a passport only (documented, Issuing section 4.3).
    pub struct CreateCardholder {
        required {
            /// Mobile number with country code and no `+`, such as `8613261402222`.
            mobile: String => "mobile",
            /// Given name.
            first_name: Base64Text => "firstName",
            /// Family name.
            last_name: Base64Text => "lastName",
            /// Number of the identity document.
            id_no: String => "idNo",
            /// Code of the kind of identity document.
            id_type: String => "idType",
            /// E-mail address.
            email: String => "email",
            /// Date of birth, `yyyy-MM-dd`.
            birthday: String => "birthday",
            /// Code of the gender.
            gender: String => "gender",
            /// Country code of the nationality.
            nationality_code: String => "nationalityCode",
            /// Address in the EEA.
            eea_address: Address => "eeaAddress",
        }
        optional {}
    }
}

impl Operation for CreateCardholder {
    type Response = HolderResponse;

    const INFO: OperationInfo = OperationInfo {
        name: "createCardholder",
        title: "Create cardholder",
        product: Product::Issuing,
        path: "/issuing/holder/createCardholder",
        kind: OperationKind::Mutation,
        payload: PayloadRule::Signed,
        documentation: "Paytend BaaS Issuing Cards, Create cardholder",
        provenance: SEEN,
    };
}

payload! {
    /// A postal address.
    pub struct Address {
        required {
            /// Street and number.
            address_line: Base64Text => "addressLine",
            /// The provider's code of the city, from Query cities.
            city_code: String => "cityCode",
            /// State or region.
            state: String => "state",
            /// Postal code.
            postcode: String => "postcode",
            /// Country code.
            country_code: String => "countryCode",
        }
        optional {
            /// Second line.
            address_line2: Base64Text => "addressLine2",
        }
    }
}

payload! {
    /// A cardholder as the provider has it. The object's name is documented; its fields are inferred.
    pub struct HolderResponse {
        required {}
        optional {
            /// The provider's identifier, which cards are applied for with. Inferred.
            holder_id: String => "holderId",
            /// Code of the audit's state. Inferred.
            status: String => "status",
        }
    }
}

//! Cardholders, and the cities their addresses name.

use super::{seen, seen_without_response};
use crate::OperationKind::{Mutation, Query};
use crate::payload::given;
use crate::{
    Base64Text, Code, Count, CountryCode, FileContent, Gender, HolderId, IdType, MAX_FILE_BYTES, NoData, Operation,
    OperationInfo, Personal, Report, Rule,
};

const SECTION: &str = "Paytend BaaS Issuing Cards, Cardholder Interface";

payload! {
    /// Create cardholder.
    ///
    /// A cardholder of the EEA is identified by a passport or an ID card, any other by a passport (documented, Issuing
    /// Cards section 4.3): see [`required_documents`](crate::documents::required_documents).
    pub struct CreateCardholder: Seen {
        required {
            /// Mobile number with country code. The published demo sends `+`; the documentation's signed example has
            /// none.
            mobile: Personal => "mobile" = "37060000000" [Phone],
            /// Given name.
            first_name: Base64Text => "firstName" = "T25h",
            /// Family name.
            last_name: Base64Text => "lastName" = "S2F6bGF1c2tpZW7Elw==",
            /// Number of the identity document.
            id_no: Personal => "idNo" = "12345678",
            /// Kind of the identity document.
            id_type: IdType => "idType",
            /// E-mail address.
            email: Personal => "email" = "ona@example.com" [Email],
            /// Date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// Gender.
            gender: Gender => "gender",
            /// Country of the nationality.
            nationality_code: CountryCode => "nationalityCode",
            /// Address in the EEA.
            eea_address: Address => "eeaAddress",
        }
        optional {}
    }
}

impl Operation for CreateCardholder {
    type Response = HolderResponse;

    const INFO: OperationInfo = seen(Mutation, "Create cardholder", "/issuing/holder/createCardholder")
        .documented(SECTION)
        .takes("CreateHolder_BizData")
        .gives("HolderResponse");
}

payload! {
    /// A postal address. All of it is hidden in `Debug`.
    pub struct Address: Seen {
        required {
            /// Street and number.
            address_line: Base64Text => "addressLine" = "R2VkaW1pbm8gcHIuIDE=",
            /// The provider's code of the city, from Query cities.
            city_code: Personal => "cityCode" = "VNO",
            /// Postal code.
            postcode: Personal => "postcode" = "01103",
            /// Country.
            country_code: Personal => "countryCode" = "LT" [Iso3166],
        }
        optional {
            /// Second line. The published demo sends an empty text for an address without one.
            address_line2: Base64Text => "addressLine2" = "QnV0YXMgMg==",
            /// State or region. The published demo sends an empty text for an address without one.
            state: Personal => "state" = "Vilnius",
        }
    }
}

payload! {
    /// A cardholder as the provider has it. The object's name is documented.
    pub struct HolderResponse: Inferred {
        required {}
        optional {
            /// The provider's identifier, which cards are applied for with.
            holder_id: HolderId => "holderId",
            /// Mobile number.
            mobile: Personal => "mobile" = "37060000000" [Phone],
            /// E-mail address.
            email: Personal => "email" = "ona@example.com" [Email],
            /// Number of the identity document.
            id_no: Personal => "idNo" = "12345678",
            /// Kind of the identity document.
            id_type: IdType => "idType",
            /// Country of the nationality.
            nationality_code: CountryCode => "nationalityCode",
            /// Code of the audit's state.
            status: Code => "status",
        }
    }
}

payload! {
    /// Update cardholder.
    pub struct UpdateCardholder: Seen {
        required {
            /// The cardholder.
            holder_id: HolderId => "holderId",
            /// Date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// Gender.
            gender: Gender => "gender",
            /// Country of the nationality.
            nationality_code: CountryCode => "nationalityCode",
            /// Address in the EEA.
            eea_address: Address => "eeaAddress",
        }
        optional {}
    }
}

impl Operation for UpdateCardholder {
    type Response = HolderResponse;

    const INFO: OperationInfo = seen(Mutation, "Update cardholder", "/issuing/holder/updateCardholder")
        .documented(SECTION)
        .takes("CardHolderUpdate_BizData")
        .gives("HolderResponse");
}

payload! {
    /// Query cardholder: by `holder_id`, or by `id_no` and `id_type`.
    pub struct QueryCardholder: Seen {
        required {}
        optional {
            /// The cardholder.
            holder_id: HolderId => "holderId",
            /// Number of the identity document.
            id_no: Personal => "idNo" = "12345678" [RequiredUnless("holderId")],
            /// Kind of the identity document.
            id_type: IdType => "idType" [RequiredUnless("holderId")],
        }
    }
    check |this: &Self, report: &mut Report| {
        if !given(this.holder_id.as_ref()) {
            report.require("idNo", given(this.id_no.as_ref()), Rule::RequiredUnless("holderId"));
            report.require("idType", given(this.id_type.as_ref()), Rule::RequiredUnless("holderId"));
        }
    };
}

impl QueryCardholder {
    /// The cardholder with an identifier.
    pub fn by_id(holder_id: HolderId) -> Self {
        Self { holder_id: Some(holder_id), ..Self::new() }
    }

    /// The cardholder with an identity document.
    pub fn by_document(id_no: Personal, id_type: IdType) -> Self {
        Self { id_no: Some(id_no), id_type: Some(id_type), ..Self::new() }
    }
}

impl Operation for QueryCardholder {
    type Response = HolderResponse;

    const INFO: OperationInfo = seen(Query, "Query cardholder", "/issuing/holder/getHolder")
        .documented(SECTION)
        .takes("GetHolder_BizData")
        .gives("HolderResponse");
}

payload! {
    /// Upload supporting documents: one file of a cardholder. Signed like any other request, unlike the uploads of BaaS
    /// Core.
    pub struct UploadDocument: Seen {
        required {
            /// The cardholder.
            holder_id: HolderId => "holderId",
            /// Code of what the file shows; "3" has been seen.
            file_type: Code => "fileType" = "3",
            /// The file, 2 MiB at most. The photo of a document must be of the kind that `idType` names (documented).
            file_content: FileContent => "fileContent",
            /// The file name's ending, with its point.
            suffix: String => "suffix" = ".jpeg",
        }
        optional {}
    }
}

impl Operation for UploadDocument {
    type Response = NoData;

    const INFO: OperationInfo =
        seen_without_response(Mutation, "Upload supporting documents", "/issuing/holder/uploadDocument")
            .documented(SECTION)
            .takes("Issuing_File_BizData")
            .files_up_to(MAX_FILE_BYTES);
}

payload! {
    /// Query cities: a page of the provider's cities in a country.
    pub struct QueryCities: Seen {
        required {
            /// The country.
            country_code: CountryCode => "countryCode",
            /// Position of the page's first city.
            start: Count => "start" = "0",
            /// How many cities the page may hold.
            max_result: Count => "maxResult" [Positive],
        }
        optional {}
    }
}

impl Operation for QueryCities {
    type Response = CitiesResponse;

    const INFO: OperationInfo = seen(Query, "Query cities", "/issuing/holder/getCities")
        .documented(SECTION)
        .takes("Cities_BizData")
        .gives("CitiesResponse");
}

payload! {
    /// A page of cities. The object's name is documented, by both products.
    pub struct CitiesResponse: Inferred {
        required {}
        optional {
            /// How many there are in all.
            total: Count => "total" = "1",
            /// The page's cities.
            cities: Vec<City> => "cities",
        }
    }
}

payload! {
    /// A city that an address may name.
    pub struct City: Inferred {
        required {}
        optional {
            /// The provider's code.
            city_code: Code => "cityCode" = "VNO",
            /// The name.
            city_name: String => "cityName" = "Vilnius",
            /// The country.
            country_code: CountryCode => "countryCode",
        }
    }
}

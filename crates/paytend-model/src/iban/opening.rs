//! The Account Opening operations: mobile number verification, user creation and document upload.

use super::{named, named_without_response};
use crate::issuing::Address;
use crate::operation::OperationKind::Mutation;
use crate::operation::{NoData, Operation, OperationInfo, PayloadRule};
use crate::payload::given;
use crate::provenance::{Provenance, Source};
use crate::validate::{Report, Rule};
use crate::value::{Base64Text, Code, CountryCode, FileContent, Gender, IdType, MAX_FILE_BYTES, Personal, UserId};

pub(super) const SECTION: &str = "Paytend BaaS Core API, Account Opening Interface";

payload! {
    /// Verify mobile number: asks Paytend to send a verification code to a mobile number. Pass the code when
    /// creating the user. This is the first, optional step of opening an account.
    #[doc(alias = "verifyMobileNumber")]
    pub struct VerifyMobileNumber: Documented {
        required {
            /// The mobile number with country code. The provider's published demo includes a leading `+`; the signed
            /// example in the documentation does not.
            mobile: Personal => "mobile" = "8613261402222" [Phone],
            /// The purpose code. The documentation's example uses "1"; the values are not documented.
            type_: Code => "type",
        }
    }
}

impl Operation for VerifyMobileNumber {
    type Response = NoData;

    const INFO: OperationInfo = named(Mutation, "Verify mobile number", "/iban/user/verifyMobileNumber")
        .documented(SECTION)
        .request_object("VerificationCode_BizData")
        .provenance(Provenance {
            operation: Source::Documented,
            path: Source::Inferred,
            request: Source::Documented,
            response: Source::Documented,
        });
}

payload! {
    /// Create individual user: registers a new individual user.
    #[doc(alias = "createIndividual")]
    pub struct CreateIndividual: Inferred {
        required {
            /// The mobile number with country code. The provider's published demo includes a leading `+`; the signed
            /// example in the documentation does not. The mobile number is the user's unique identifier (documented,
            /// section 4.4).
            mobile: Personal => "mobile" = "37060000000" [Phone],
        }
        optional {
            /// The verification code that was sent to the mobile number.
            verification_code: Personal => "verificationCode" = "123456",
            /// The given name.
            first_name: Base64Text => "firstName" = "T25h",
            /// The family name.
            last_name: Base64Text => "lastName" = "S2F6bGF1c2tpZW7Elw==",
            /// The identity document number.
            id_no: Personal => "idNo" = "12345678",
            /// The kind of identity document.
            id_type: IdType => "idType",
            /// The e-mail address.
            email: Personal => "email" = "ona@example.com" [Email],
            /// The date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// The gender.
            gender: Gender => "gender",
            /// The country of nationality, which determines the required documents.
            nationality_code: CountryCode => "nationalityCode",
            /// The user's address, which determines the required documents.
            address: Address => "address",
        }
    }
}

impl Operation for CreateIndividual {
    type Response = RegisterResponse;

    const INFO: OperationInfo = named(Mutation, "Create individual user", "/iban/user/createIndividual")
        .documented(SECTION)
        .request_object("Individual_BizData")
        .response_object("RegisterResponse");
}

payload! {
    /// Create corporation user: registers a new corporate user.
    #[doc(alias = "createCorporation")]
    pub struct CreateCorporation: Inferred {
        required {
            /// The mobile number with country code. The provider's published demo includes a leading `+`; the signed
            /// example in the documentation does not. The mobile number is the user's unique identifier (documented,
            /// section 4.4).
            mobile: Personal => "mobile" = "37060000001" [Phone],
        }
        optional {
            /// The verification code that was sent to the mobile number.
            verification_code: Personal => "verificationCode" = "123456",
            /// The corporation's name.
            corporation_name: Base64Text => "corporationName" = "xb1hbGdpcmlvIFVBQg==",
            /// The registration number in the certificate of incorporation.
            registration_no: Personal => "registrationNo" = "305123456",
            /// The country of incorporation, which determines the required documents.
            country_code: CountryCode => "countryCode",
            /// The e-mail address.
            email: Personal => "email" = "info@example.com" [Email],
            /// The registered address.
            address: Address => "address",
            /// The natural person who acts for the corporation ("legal person" in Paytend's API), with the same
            /// identification details as an individual user.
            legal_person: LegalPerson => "legalPerson",
        }
    }
}

impl Operation for CreateCorporation {
    type Response = RegisterResponse;

    const INFO: OperationInfo = named(Mutation, "Create corporation user", "/iban/user/createCorporation")
        .documented(SECTION)
        .request_object("Corporation_BizData")
        .response_object("RegisterResponse");
}

payload! {
    /// The natural person who acts for a corporation ("legal person" in Paytend's API).
    pub struct LegalPerson: Inferred {
        optional {
            /// The given name.
            first_name: Base64Text => "firstName" = "T25h",
            /// The family name.
            last_name: Base64Text => "lastName" = "S2F6bGF1c2tpZW7Elw==",
            /// The identity document number.
            id_no: Personal => "idNo" = "12345678",
            /// The kind of identity document.
            id_type: IdType => "idType",
            /// The date of birth, `yyyy-MM-dd`.
            birthday: Personal => "birthday" = "1990-02-28" [Date],
            /// The country of nationality.
            nationality_code: CountryCode => "nationalityCode",
        }
    }
}

payload! {
    /// The response to a request that creates a user. Only the object's name is documented.
    pub struct RegisterResponse: Inferred {
        optional {
            /// The provider's identifier for the user, used in all later requests.
            user_id: UserId => "userId",
        }
    }
}

payload! {
    /// Upload supporting documents: uploads one file for a user, or the result of a verification by Sumsub or Veriff
    /// (documented, section 4.4). The format of a verification result is in the partner documentation; set the result
    /// in `extra`.
    ///
    /// The payload is encrypted and **not signed** (documented).
    #[doc(alias = "uploadDocument")]
    pub struct UploadDocument: Inferred {
        required {
            /// The user's identifier.
            user_id: UserId => "userId",
        }
        optional {
            /// The document type code.
            file_type: Code => "fileType" = "3",
            /// The file, at most 2 MiB.
            file_content: FileContent => "fileContent",
            /// The file name extension, with the dot.
            suffix: String => "suffix" = ".jpeg",
        }
    }
    check |this: &Self, report: &mut Report| {
        let has_other = this.extra.has_other_than(&["fileType", "fileContent", "suffix"]);
        report.require("fileContent", given(this.file_content.as_ref()) || has_other, Rule::NotEmpty);
    };
}

impl UploadDocument {
    /// Creates a request that uploads a file.
    pub fn file(user_id: UserId, file_type: Code, content: FileContent) -> Self {
        Self { file_type: Some(file_type), file_content: Some(content), ..Self::new(user_id) }
    }
}

impl Operation for UploadDocument {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Upload supporting documents", "/iban/user/uploadDocument")
            .documented(SECTION)
            .request_object("File_BizData")
            .payload(PayloadRule::Unsigned)
            .max_file_bytes(MAX_FILE_BYTES);
}

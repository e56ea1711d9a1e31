//! Transfer orders. With a transfer order, Paytend requests information about a transaction before processing it.

use super::named_without_response;
use super::opening::SECTION;
use crate::operation::OperationKind::Mutation;
use crate::operation::{NoData, Operation, OperationInfo, PayloadRule};
use crate::value::{Code, FileContent, MAX_FILE_BYTES, OrderNo};

payload! {
    /// Submit transfer order information: submits the information for a transfer order. The fields are in the partner
    /// documentation; set them in `extra`.
    #[doc(alias = "submitTransferOrder")]
    pub struct SubmitTransferOrder: Inferred {
        required {
            /// The transfer order number from the transfer order notification.
            order_no: OrderNo => "orderNo",
        }
    }
}

impl Operation for SubmitTransferOrder {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Submit transfer order information", "/iban/transfer/submitTransferOrder")
            .documented(SECTION)
            .request_object("TransferOrderRequest_BizData");
}

payload! {
    /// Upload transfer order file: uploads a file for a transfer order. The payload is encrypted and **not signed**
    /// (documented).
    #[doc(alias = "uploadTransferOrderFile")]
    pub struct UploadTransferOrderFile: Inferred {
        required {
            /// The transfer order number.
            order_no: OrderNo => "orderNo",
            /// The file, at most 2 MiB.
            file_content: FileContent => "fileContent",
        }
        optional {
            /// The document type code.
            file_type: Code => "fileType" = "3",
            /// The file name extension, with the dot.
            suffix: String => "suffix" = ".pdf",
        }
    }
}

impl Operation for UploadTransferOrderFile {
    type Response = NoData;

    const INFO: OperationInfo =
        named_without_response(Mutation, "Upload transfer order file", "/iban/transfer/uploadTransferOrderFile")
            .documented(SECTION)
            .request_object("TransferOrderFile_BizData")
            .payload(PayloadRule::Unsigned)
            .max_file_bytes(MAX_FILE_BYTES);
}

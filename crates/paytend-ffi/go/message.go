package paytend

// #include <paytend.h>
import "C"

import (
	"encoding/json"
	"fmt"
	"runtime"
	"unicode/utf8"
	"unsafe"
)

// Kind is the kind of a message: a request, a response or a notification.
type Kind int32

// The kinds of messages.
const (
	Request      Kind = C.PAYTEND_KIND_REQUEST      // from a partner to Paytend; the payload is in bizData
	Response     Kind = C.PAYTEND_KIND_RESPONSE     // from Paytend to a partner; the payload is in respData
	Notification Kind = C.PAYTEND_KIND_NOTIFICATION // from Paytend to a callback URL; the payload is in content
)

// Message is a message to seal.
type Message struct {
	// Kind is the kind of the message.
	Kind Kind
	// Fields are the unencrypted fields except signType and version, which Seal adds. If a request has no requestId,
	// Seal adds one.
	Fields map[string]string
	// Payload is a JSON object as a string, or empty. It is signed exactly as passed, and encrypted.
	Payload string
	// UnsignedPayload excludes the payload from the signature, as required by the upload endpoints of the IBAN product.
	UnsignedPayload bool
}

// Expected contains the expected properties of a message. Take them from the route or the configuration, never from the
// message.
type Expected struct {
	// Kind is the kind of the message.
	Kind Kind
	// PartnerID is the partner in a request or notification. It must be empty for a response.
	PartnerID string
	// UnsignedPayload means that the payload is not signed, as for the upload endpoints of the IBAN product.
	UnsignedPayload bool
	// MaxBytes is the maximum size of the document in bytes; 0 means the default for the kind.
	MaxBytes int
}

// Opened contains the contents of an authentic message.
type Opened struct {
	// Fields are the unencrypted fields.
	Fields map[string]string
	// Payload is the payload exactly as signed; empty for a message without a payload.
	Payload string `json:"-"`
	// PayloadProblem describes the problem if Payload is not a single strict JSON object, and is empty otherwise. The
	// payload is authentic in both cases.
	PayloadProblem string
	// Canonical is the signed text. It is secret, since it contains the session key and the payload.
	Canonical string `json:"-"`
	// VerifiedBy is the fingerprint of the key that verified the signature. DecryptedBy is the fingerprint of the key that
	// decrypted the message, if anything was encrypted.
	VerifiedBy, DecryptedBy string
}

// String returns a description without the contents, to keep them out of logs.
func (o Opened) String() string { return "paytend.Opened" }

// GoString returns a description without the contents, to keep them out of logs.
func (o Opened) GoString() string { return "paytend.Opened" }

// Seal seals a message and returns its document, a JSON object. It adds a 32-character requestId to a request that does
// not contain one. An existing requestId is kept.
//
// It returns ErrUnsealable if a field or the payload cannot be sealed, and ErrKey if the keyring has no key to sign or
// encrypt with.
func (r *Keyring) Seal(message Message) ([]byte, error) {
	fields := message.Fields
	if fields == nil {
		fields = map[string]string{}
	}
	for name, value := range fields {
		// json.Marshal would replace invalid bytes with U+FFFD, which would then be signed.
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, usage(fmt.Sprintf("field %.40q is not valid UTF-8", name))
		}
	}
	if !utf8.ValidString(message.Payload) {
		return nil, usage("Payload is not valid UTF-8")
	}
	encoded, encodingErr := json.Marshal(fields)
	if encodingErr != nil {
		return nil, encodingErr
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(r)
	var out C.PaytendBuffer
	var err *C.PaytendError
	code := C.paytend_seal(r.c(), C.int32_t(message.Kind), lent(&pinner, encoded), lentText(&pinner, message.Payload),
		C.bool(!message.UnsignedPayload), &out, &err)
	if code != 0 {
		return nil, failed(code, err)
	}
	return taken(out), nil
}

// Open decrypts and verifies a message. It returns the contents only if both succeed.
func (r *Keyring) Open(document []byte, expected Expected) (*Opened, error) {
	if expected.MaxBytes < 0 {
		return nil, usage("MaxBytes is negative; it must be positive, or 0 for the default")
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(r)
	var handle *C.PaytendOpened
	var err *C.PaytendError
	code := C.paytend_open(r.c(), C.int32_t(expected.Kind), lentText(&pinner, expected.PartnerID), lent(&pinner, document),
		C.bool(!expected.UnsignedPayload), C.size_t(expected.MaxBytes), &handle, &err)
	if code != 0 {
		return nil, failed(code, err)
	}
	defer C.paytend_opened_free(handle)
	var view C.PaytendOpenedView
	C.paytend_opened_view(handle, &view)
	opened := &Opened{
		Fields:      make(map[string]string, int(view.fields_len)),
		Payload:     textOf(view.payload),
		Canonical:   textOf(view.canonical),
		VerifiedBy:  textOf(view.verified_by),
		DecryptedBy: textOf(view.decrypted_by),

		PayloadProblem: textOf(C.paytend_opened_payload_problem(handle)),
	}
	for _, field := range unsafe.Slice(view.fields, int(view.fields_len)) {
		opened.Fields[textOf(field.name)] = textOf(field.value)
	}
	return opened, nil
}

// Package paytend seals, opens, signs and verifies the messages of Paytend, PayBy and PayerMax: the Rust crates by way of their C
// interface, linked statically, so that a program needs nothing but itself.
//
// Handles are never changed after they are made and may be used by several goroutines at once. They free what they hold when they are
// collected.
package paytend

/*
#cgo CFLAGS: -I${SRCDIR}/include
#cgo linux,amd64 LDFLAGS: ${SRCDIR}/lib/linux_amd64/libpaytend.a
#cgo linux,arm64 LDFLAGS: ${SRCDIR}/lib/linux_arm64/libpaytend.a
#cgo darwin,amd64 LDFLAGS: ${SRCDIR}/lib/darwin_amd64/libpaytend.a
#cgo darwin,arm64 LDFLAGS: ${SRCDIR}/lib/darwin_arm64/libpaytend.a
#cgo linux LDFLAGS: -lpthread -ldl -lm
#include <paytend.h>
*/
import "C"

import (
	"runtime"
	"strings"
	"unsafe"
)

// Code says what went wrong. The numbers and names are the same in every language.
type Code int

// The codes.
const (
	Usage           Code = C.PAYTEND_CODE_USAGE            // an argument makes no sense
	NotAuthentic    Code = C.PAYTEND_CODE_NOT_AUTHENTIC    // not from the expected sender, or changed; there is no more to know
	Malformed       Code = C.PAYTEND_CODE_MALFORMED        // breaks a rule that anybody can see
	Payload         Code = C.PAYTEND_CODE_PAYLOAD          // authentic, and its payload is not one JSON object
	UnsignedFailure Code = C.PAYTEND_CODE_UNSIGNED_FAILURE // a failure answer without a signature, which proves nothing
	Unsealable      Code = C.PAYTEND_CODE_UNSEALABLE       // would have more than one reading
	KeyUnusable     Code = C.PAYTEND_CODE_KEY              // a key cannot be read or used
	Unavailable     Code = C.PAYTEND_CODE_UNAVAILABLE      // a key's backend, or the source of randomness, does not work now
	Rejected        Code = C.PAYTEND_CODE_REJECTED         // authentic, and too old, from the future, or for another merchant
	Internal        Code = C.PAYTEND_CODE_INTERNAL         // a defect of this library
)

// Error is what every function of this package fails with. It holds nothing secret or personal.
type Error struct {
	Code    Code
	Name    string // the code's name, such as not_authentic
	Message string
	// RespCode and RespMsg are those of an UnsignedFailure. Anybody on the way may have written them.
	RespCode, RespMsg string
}

func (e *Error) Error() string { return "paytend: " + e.Message }

// Is makes errors.Is(err, paytend.ErrNotAuthentic) look at the code alone.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code && other.Message == ""
}

// For errors.Is.
var (
	ErrUsage           = &Error{Code: Usage, Name: "usage"}
	ErrNotAuthentic    = &Error{Code: NotAuthentic, Name: "not_authentic"}
	ErrMalformed       = &Error{Code: Malformed, Name: "malformed"}
	ErrPayload         = &Error{Code: Payload, Name: "payload"}
	ErrUnsignedFailure = &Error{Code: UnsignedFailure, Name: "unsigned_failure"}
	ErrUnsealable      = &Error{Code: Unsealable, Name: "unsealable"}
	ErrKey             = &Error{Code: KeyUnusable, Name: "key"}
	ErrUnavailable     = &Error{Code: Unavailable, Name: "unavailable"}
	ErrRejected        = &Error{Code: Rejected, Name: "rejected"}
	ErrInternal        = &Error{Code: Internal, Name: "internal"}
)

func usage(message string) error {
	return &Error{Code: Usage, Name: ErrUsage.Name, Message: message}
}

// Version is the library's.
func Version() string { return C.GoString(C.paytend_version()) }

// failed takes over an error.
func failed(code C.int32_t, err *C.PaytendError) error {
	if code == 0 {
		return nil
	}
	defer C.paytend_error_free(err)
	return &Error{
		Code:     Code(code),
		Name:     C.GoString(C.paytend_error_name(err)),
		Message:  C.GoString(C.paytend_error_message(err)),
		RespCode: textOf(C.paytend_error_resp_code(err)),
		RespMsg:  textOf(C.paytend_error_resp_msg(err)),
	}
}

// bytesOf copies what a slice of the library's shows.
func bytesOf(slice C.PaytendSlice) []byte {
	if slice.len == 0 {
		return nil
	}
	out := make([]byte, int(slice.len))
	copy(out, unsafe.Slice((*byte)(unsafe.Pointer(slice.data)), int(slice.len)))
	return out
}

// textOf copies what a slice of the library's shows.
func textOf(slice C.PaytendSlice) string {
	if slice.len == 0 {
		return ""
	}
	return strings.Clone(unsafe.String((*byte)(unsafe.Pointer(slice.data)), int(slice.len)))
}

// taken copies a buffer, and wipes and frees it.
func taken(buffer C.PaytendBuffer) []byte {
	defer C.paytend_buffer_free(buffer)
	return bytesOf(C.PaytendSlice{data: buffer.data, len: buffer.len})
}

// lent shows Go's bytes to the library for the time of one call: until the pinner lets go.
func lent(pinner *runtime.Pinner, data []byte) C.PaytendSlice {
	if len(data) == 0 {
		return C.PaytendSlice{}
	}
	first := unsafe.SliceData(data)
	pinner.Pin(first)
	return C.PaytendSlice{data: (*C.uint8_t)(unsafe.Pointer(first)), len: C.size_t(len(data))}
}

func lentText(pinner *runtime.Pinner, text string) C.PaytendSlice {
	if text == "" {
		return C.PaytendSlice{}
	}
	first := unsafe.StringData(text)
	pinner.Pin(first)
	return C.PaytendSlice{data: (*C.uint8_t)(unsafe.Pointer(first)), len: C.size_t(len(text))}
}

// Package paytend seals, opens, signs and verifies Paytend, PayBy and PayerMax messages. It uses the Rust library
// through its C interface. The library is linked statically, so programs have no other dependencies.
//
// Keys, keyrings and receivers are immutable and can be used by several goroutines concurrently. Their native memory
// is freed when they are garbage-collected.
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

// Code is an error code. The numbers and names are the same in every language.
type Code int

// The error codes.
const (
	Usage           Code = C.PAYTEND_CODE_USAGE            // an argument is invalid
	NotAuthentic    Code = C.PAYTEND_CODE_NOT_AUTHENTIC    // not from the expected sender, or modified
	Malformed       Code = C.PAYTEND_CODE_MALFORMED        // breaks a format rule that is checked without a key
	Payload         Code = C.PAYTEND_CODE_PAYLOAD          // authentic, but the payload is not a single JSON object
	UnsignedFailure Code = C.PAYTEND_CODE_UNSIGNED_FAILURE // an unsigned error response, which is not authenticated
	Unsealable      Code = C.PAYTEND_CODE_UNSEALABLE       // a field or the payload breaks a rule that receivers enforce
	KeyUnusable     Code = C.PAYTEND_CODE_KEY              // a key cannot be read or used
	Unavailable     Code = C.PAYTEND_CODE_UNAVAILABLE      // a key's backend or the source of randomness is unavailable
	Rejected        Code = C.PAYTEND_CODE_REJECTED         // authentic, but stale, future-dated or for the wrong merchant
	Internal        Code = C.PAYTEND_CODE_INTERNAL         // a bug in this library
)

// Error is this package's error type. Errors contain no secrets or personal data.
type Error struct {
	Code    Code
	Name    string // the code's name, such as not_authentic
	Message string
	// RespCode and RespMsg are the contents of an unsigned error response. They are not authenticated: an attacker on
	// the network may have written them.
	RespCode, RespMsg string
}

// Error returns the message with the prefix "paytend: ".
func (e *Error) Error() string { return "paytend: " + e.Message }

// Is reports whether target is the sentinel error with the same code, such as ErrNotAuthentic. errors.Is calls Is.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code && other.Message == ""
}

// Sentinel errors for errors.Is.
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

// Version returns the library's version.
func Version() string { return C.GoString(C.paytend_version()) }

// failed converts a C error to a Go error and frees the C error.
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

// bytesOf copies a slice that is owned by the library.
func bytesOf(slice C.PaytendSlice) []byte {
	if slice.len == 0 {
		return nil
	}
	out := make([]byte, int(slice.len))
	copy(out, unsafe.Slice((*byte)(unsafe.Pointer(slice.data)), int(slice.len)))
	return out
}

// textOf copies a slice that is owned by the library to a string.
func textOf(slice C.PaytendSlice) string {
	if slice.len == 0 {
		return ""
	}
	return strings.Clone(unsafe.String((*byte)(unsafe.Pointer(slice.data)), int(slice.len)))
}

// taken copies a buffer, and then wipes and frees the original.
func taken(buffer C.PaytendBuffer) []byte {
	defer C.paytend_buffer_free(buffer)
	return bytesOf(C.PaytendSlice{data: buffer.data, len: buffer.len})
}

// lent returns a slice that lets the library read data without copying it. The bytes stay pinned until pinner is
// unpinned.
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

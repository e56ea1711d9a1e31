package paytend

// #include <paytend.h>
import "C"

import (
	"encoding/json"
	"runtime"
)

// PrivateKey is a private RSA key. Its memory is wiped when the key is garbage-collected.
type PrivateKey struct{ handle *C.PaytendPrivateKey }

// PublicKey is a public RSA key.
type PublicKey struct{ handle *C.PaytendPublicKey }

// Keyring contains the keys that one side uses to communicate with one peer.
type Keyring struct{ handle *C.PaytendKeyring }

// A nil key or keyring becomes a null handle, which the library rejects.

func (k *PrivateKey) c() *C.PaytendPrivateKey {
	if k == nil {
		return nil
	}
	return k.handle
}

func (k *PublicKey) c() *C.PaytendPublicKey {
	if k == nil {
		return nil
	}
	return k.handle
}

func (r *Keyring) c() *C.PaytendKeyring {
	if r == nil {
		return nil
	}
	return r.handle
}

func privateKey(handle *C.PaytendPrivateKey) *PrivateKey {
	key := &PrivateKey{handle}
	runtime.SetFinalizer(key, func(key *PrivateKey) { C.paytend_private_key_free(key.handle) })
	return key
}

func publicKey(handle *C.PaytendPublicKey) *PublicKey {
	key := &PublicKey{handle}
	runtime.SetFinalizer(key, func(key *PublicKey) { C.paytend_public_key_free(key.handle) })
	return key
}

// LoadPrivateKey reads a PKCS#1 or PKCS#8 private key in PEM, DER or base64.
func LoadPrivateKey(data []byte) (*PrivateKey, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	var handle *C.PaytendPrivateKey
	var err *C.PaytendError
	if code := C.paytend_private_key_load(lent(&pinner, data), &handle, &err); code != 0 {
		return nil, failed(code, err)
	}
	return privateKey(handle), nil
}

// LoadPrivateKeyFile reads a private key from a file. It returns ErrKey if the file is missing or other users can read
// it.
func LoadPrivateKeyFile(path string) (*PrivateKey, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	var handle *C.PaytendPrivateKey
	var err *C.PaytendError
	if code := C.paytend_private_key_load_file(lentText(&pinner, path), &handle, &err); code != 0 {
		return nil, failed(code, err)
	}
	return privateKey(handle), nil
}

// GenerateKey generates a key pair. The size is a multiple of 128 bits, from 1024 to 8192.
func GenerateKey(bits int) (*PrivateKey, error) {
	var handle *C.PaytendPrivateKey
	var err *C.PaytendError
	if code := C.paytend_private_key_generate(C.size_t(max(bits, 0)), &handle, &err); code != 0 {
		return nil, failed(code, err)
	}
	return privateKey(handle), nil
}

// Write encodes the key as pkcs8-pem, pkcs8-base64 or pkcs1-der. The result is secret.
func (k *PrivateKey) Write(form string) ([]byte, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(k)
	var out C.PaytendBuffer
	var err *C.PaytendError
	if code := C.paytend_private_key_write(k.c(), lentText(&pinner, form), &out, &err); code != 0 {
		return nil, failed(code, err)
	}
	return taken(out), nil
}

// Public returns the matching public key.
func (k *PrivateKey) Public() (*PublicKey, error) {
	defer runtime.KeepAlive(k)
	var handle *C.PaytendPublicKey
	var err *C.PaytendError
	if code := C.paytend_private_key_public(k.c(), &handle, &err); code != 0 {
		return nil, failed(code, err)
	}
	return publicKey(handle), nil
}

// String returns a description without the key, to keep the key out of logs.
func (k *PrivateKey) String() string { return "paytend.PrivateKey" }

// GoString returns a description without the key, to keep the key out of logs.
func (k *PrivateKey) GoString() string { return "paytend.PrivateKey" }

// LoadPublicKey reads a SubjectPublicKeyInfo or PKCS#1 public key in PEM, DER or base64.
func LoadPublicKey(data []byte) (*PublicKey, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	var handle *C.PaytendPublicKey
	var err *C.PaytendError
	if code := C.paytend_public_key_load(lent(&pinner, data), &handle, &err); code != 0 {
		return nil, failed(code, err)
	}
	return publicKey(handle), nil
}

// LoadPublicKeyFile reads a public key from a file.
func LoadPublicKeyFile(path string) (*PublicKey, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	var handle *C.PaytendPublicKey
	var err *C.PaytendError
	if code := C.paytend_public_key_load_file(lentText(&pinner, path), &handle, &err); code != 0 {
		return nil, failed(code, err)
	}
	return publicKey(handle), nil
}

// Write encodes the key as spki-pem, spki-base64 or spki-der.
func (k *PublicKey) Write(form string) ([]byte, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(k)
	var out C.PaytendBuffer
	var err *C.PaytendError
	if code := C.paytend_public_key_write(k.c(), lentText(&pinner, form), &out, &err); code != 0 {
		return nil, failed(code, err)
	}
	return taken(out), nil
}

// KeyInfo describes a key.
type KeyInfo struct {
	Private     bool   `json:"private"`
	Bits        int    `json:"bits"`
	Fingerprint string `json:"fingerprint"` // the fingerprint of the public key
	Format      string `json:"format"`      // pkcs1, pkcs8 or spki
	Armour      string `json:"armour"`      // der, base64 or pem
}

// InspectKey describes a private or public key.
func InspectKey(data []byte) (KeyInfo, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	var out C.PaytendBuffer
	var err *C.PaytendError
	if code := C.paytend_key_info(lent(&pinner, data), &out, &err); code != 0 {
		return KeyInfo{}, failed(code, err)
	}
	var info KeyInfo
	return info, json.Unmarshal(taken(out), &info)
}

// NewKeyring creates a keyring. The first own key is used for signing, and all own keys for decryption. The first peer
// key is used for encryption, and all peer keys for verification. Use several keys during a key rotation.
func NewKeyring(own []*PrivateKey, peer []*PublicKey) (*Keyring, error) {
	defer runtime.KeepAlive(own)
	defer runtime.KeepAlive(peer)
	owns := make([]*C.PaytendPrivateKey, len(own)+1)
	for at, key := range own {
		owns[at] = key.c()
	}
	peers := make([]*C.PaytendPublicKey, len(peer)+1)
	for at, key := range peer {
		peers[at] = key.c()
	}
	var handle *C.PaytendKeyring
	var err *C.PaytendError
	code := C.paytend_keyring_new(&owns[0], C.size_t(len(own)), &peers[0], C.size_t(len(peer)), &handle, &err)
	if code != 0 {
		return nil, failed(code, err)
	}
	ring := &Keyring{handle}
	runtime.SetFinalizer(ring, func(ring *Keyring) { C.paytend_keyring_free(ring.handle) })
	return ring, nil
}

// Sign signs a body for PayBy or PayerMax, and returns the value of the sign header.
func Sign(key *PrivateKey, body []byte) (string, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(key)
	var out C.PaytendBuffer
	var err *C.PaytendError
	if code := C.paytend_sign(key.c(), lent(&pinner, body), &out, &err); code != 0 {
		return "", failed(code, err)
	}
	return string(taken(out)), nil
}

// Verify verifies the sign header of a raw body with the given keys. It returns the fingerprint of the key that
// verified the signature.
func Verify(keys []*PublicKey, body []byte, sign string) (string, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(keys)
	handles := make([]*C.PaytendPublicKey, len(keys)+1)
	for at, key := range keys {
		handles[at] = key.c()
	}
	var out C.PaytendBuffer
	var err *C.PaytendError
	code := C.paytend_verify(&handles[0], C.size_t(len(keys)), lent(&pinner, body), lentText(&pinner, sign), &out, &err)
	if code != 0 {
		return "", failed(code, err)
	}
	return string(taken(out)), nil
}

// HazmatDecryptBlocks decrypts concatenated RSA PKCS#1 v1.5 blocks. An attacker who can observe whether decryption
// succeeds can use this function as a padding oracle. Use the function only in tools, never in a server.
func HazmatDecryptBlocks(key *PrivateKey, ciphertext []byte) ([]byte, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer runtime.KeepAlive(key)
	var out C.PaytendBuffer
	var err *C.PaytendError
	if code := C.paytend_hazmat_decrypt_blocks(key.c(), lent(&pinner, ciphertext), &out, &err); code != 0 {
		return nil, failed(code, err)
	}
	return taken(out), nil
}

// RequestID generates a unique 32-character request identifier.
func RequestID() (string, error) {
	var out C.PaytendBuffer
	var err *C.PaytendError
	if code := C.paytend_request_id(&out, &err); code != 0 {
		return "", failed(code, err)
	}
	return string(taken(out)), nil
}

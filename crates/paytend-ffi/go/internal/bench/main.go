// Command bench measures how fast messages are opened with this package, and with code that uses only the standard
// library.
//
//	Usage: bench FILE (see examples/bench.rs in paytend-bindings)
package main

import (
	"bufio"
	"crypto"
	"crypto/aes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	paytend "github.com/paytend-rs/paytend-rs/crates/paytend-ffi/go"
)

const partnerID = "888666000100260"

type job struct{ Private, Public, Document, Payload string }

type way func(document []byte) (string, error)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func ours(it job) way {
	private := must(paytend.LoadPrivateKey([]byte(it.Private)))
	public := must(paytend.LoadPublicKey([]byte(it.Public)))
	ring := must(paytend.NewKeyring([]*paytend.PrivateKey{private}, []*paytend.PublicKey{public}))
	expected := paytend.Expected{Kind: paytend.Notification, PartnerID: partnerID}
	return func(document []byte) (string, error) {
		opened, err := ring.Open(document, expected)
		if err != nil {
			return "", err
		}
		return opened.Payload, nil
	}
}

func byHand(it job) way {
	decode := base64.StdEncoding.DecodeString
	private := must(x509.ParsePKCS8PrivateKey(must(decode(it.Private)))).(*rsa.PrivateKey)
	public := must(x509.ParsePKIXPublicKey(must(decode(it.Public)))).(*rsa.PublicKey)
	return func(document []byte) (string, error) {
		fields := map[string]string{}
		if err := json.Unmarshal(document, &fields); err != nil {
			return "", err
		}
		var decoded [3][]byte
		for at, name := range []string{"signature", "randomKey", "content"} {
			bytes, err := decode(fields[name])
			if err != nil {
				return "", err
			}
			decoded[at] = bytes
		}
		key, err := rsa.DecryptPKCS1v15(nil, private, decoded[1])
		if err != nil {
			return "", err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return "", err
		}
		text := decoded[2]
		if len(text) == 0 || len(text)%aes.BlockSize != 0 {
			return "", errors.New("not authentic")
		}
		for at := 0; at < len(text); at += aes.BlockSize {
			block.Decrypt(text[at:], text[at:])
		}
		padding := int(text[len(text)-1])
		if padding == 0 || padding > aes.BlockSize {
			return "", errors.New("not authentic")
		}
		fields["content"], fields["randomKey"] = string(text[:len(text)-padding]), string(key)
		if fields["partnerId"] != partnerID {
			return "", errors.New("the message is for another partner")
		}
		names := []string{}
		for name, value := range fields {
			if value != "" && name != "signature" && name != "encryptFlag" {
				names = append(names, name)
			}
		}
		sort.Strings(names)
		parts := []string{}
		for _, name := range names {
			parts = append(parts, name+"="+fields[name])
		}
		digest := sha256.Sum256([]byte(strings.Join(parts, "&")))
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], decoded[0]); err != nil {
			return "", err
		}
		return fields["content"], nil
	}
}

func main() {
	jobs := map[string]job{}
	if err := json.Unmarshal(must(os.ReadFile(os.Args[1])), &jobs); err != nil {
		panic(err)
	}
	ways := map[string]way{}
	for bits, it := range jobs {
		ways["ours "+bits], ways["hand "+bits] = ours(it), byHand(it)
		for _, name := range []string{"ours ", "hand "} {
			if must(ways[name+bits]([]byte(it.Document))) != it.Payload {
				panic("the opened payload is wrong")
			}
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var name, bits string
		var count int
		must(fmt.Sscan(lines.Text(), &name, &bits, &count))
		document, open := []byte(jobs[bits].Document), ways[name+" "+bits]
		start := time.Now()
		for range count {
			must(open(document))
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
}

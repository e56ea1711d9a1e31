// Verifies a notification that `paytend inbox serve --forward-to` has posted. This code needs only Go's standard
// library.
//
// Ignore a `webhook-id` that your service has already processed, because a notification can be posted more than
// once.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Verify returns whether the body is authentic. The body must be the raw bytes as received.
func Verify(secret, id, timestamp, signatures string, body []byte, now time.Time) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	seconds, invalid := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || invalid != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, given := range strings.Split(signatures, " ") {
		if hmac.Equal([]byte(expected), []byte(given)) {
			return true
		}
	}
	return false
}

func main() {
	body, _ := io.ReadAll(os.Stdin)
	valid := Verify(os.Getenv("SECRET"), os.Getenv("WEBHOOK_ID"), os.Getenv("WEBHOOK_TIMESTAMP"),
		os.Getenv("WEBHOOK_SIGNATURE"), body, time.Now())
	fmt.Println(map[bool]string{true: "valid", false: "invalid"}[valid])
}
